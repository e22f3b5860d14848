package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
	ChannelID      any                   `json:"channel_id"`      // a string or a number
}

// zohoNoticeIDs is how many contacts one notification names. [?]
const zohoNoticeIDs = 100

// changed is told of every change of an org's contacts after it was made, under
// no lock. It queues a notification to each channel that lives.
func (z *Zoho) changed(o *zohoOrg, operation string, ids []string) {
	now := z.sandbox.Now()
	z.mu.Lock()
	words, asNumber := z.settings.WebhookWords, z.settings.WebhookChannelNumber
	var told []*channel
	if len(ids) > 0 {
		told = z.channels.live(o, contactsModule+"."+operation, now)
	}
	z.mu.Unlock()
	for _, ch := range told {
		for batch := range slices.Chunk(ids, zohoNoticeIDs) {
			notice := zohoNotice{
				Module: contactsModule, Operation: zohoOperation(operation, words), ResourceURI: z.resourceURI(o), IDs: batch,
				Token: ch.Token, ChannelID: ch.ID,
			}
			if asNumber {
				notice.ChannelID = json.Number(ch.ID)
			}
			if operation == changeEdit {
				for _, id := range batch { // every change of the sandbox moves the address
					notice.AffectedFields = append(notice.AffectedFields, map[string][]string{id: {"Email"}})
				}
			}
			d, err := zohoDelivery(ch.NotifyURL, now, notice)
			if err != nil {
				panic(fmt.Sprintf("notify channel %s: %v", ch.ID, err)) // its notify_url was read when it was made
			}
			z.outbox.add(d)
		}
	}
}

// zohoOperation is the word for a create, edit or delete; the sources differ, so
// words is WordsSQL or WordsCRUD.
func zohoOperation(operation, words string) string {
	if words == WordsSQL {
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
