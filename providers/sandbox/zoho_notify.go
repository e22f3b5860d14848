package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// zohoNotice is one notification of a channel [doc: Notification APIs v8].
type zohoNotice struct {
	ServerTime     int64                 `json:"server_time"` // milliseconds since 1970
	Module         string                `json:"module"`
	Operation      string                `json:"operation"`
	ResourceURI    string                `json:"resource_uri"`
	IDs            []string              `json:"ids"`
	AffectedFields []map[string][]string `json:"affected_fields"` // by id
	QueryParams    map[string]string     `json:"query_params"`    // of the notify_url
	Token          string                `json:"token"`           // as the channel was given it: all the proof there is
	ChannelID      string                `json:"channel_id"`
}

// The words for operations differ between the sources, so both are played.
const (
	zohoWordsSQL  = "insert" // insert, update, delete
	zohoWordsCRUD = "create" // create, edit, delete
)

// zohoOperation is the word for a create, edit or delete; words is zohoWordsSQL
// or zohoWordsCRUD.
func zohoOperation(operation, words string) string {
	if words == zohoWordsSQL {
		switch operation {
		case "create":
			return "insert"
		case "edit":
			return "update"
		}
	}
	return operation
}

// zohoDelivery is the delivery of a notice to a channel's notify_url, whose
// query parameters it repeats. Retries are undocumented, so there are none.
func zohoDelivery(notifyURL string, now time.Time, notice zohoNotice) (*delivery, error) {
	target, err := url.Parse(notifyURL)
	if err != nil {
		return nil, fmt.Errorf("read notify_url: %w", err)
	}
	notice.ServerTime = now.UnixMilli()
	notice.QueryParams = map[string]string{}
	for name, values := range target.Query() {
		notice.QueryParams[name] = values[0]
	}
	if notice.AffectedFields == nil {
		notice.AffectedFields = []map[string][]string{}
	}
	body, err := json.Marshal(notice)
	if err != nil {
		return nil, fmt.Errorf("render a notification: %w", err)
	}
	return &delivery{
		url: notifyURL,
		render: func(int) (http.Header, []byte) {
			return http.Header{"Content-Type": {"application/json"}}, body
		},
	}, nil
}
