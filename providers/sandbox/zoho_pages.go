package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// pagePlace is what a page_token stands for: the last place of the page before,
// how many records came until then, and until when the token is good.
type pagePlace struct {
	after   key
	passed  uint32
	page    uint32 // the number of the page that it leads to
	expires int64  // Unix seconds
}

const (
	pageTokenLife = 24 * time.Hour // [doc]
	placeBytes    = 32
	boundBytes    = 8
)

// bound is what a page_token may not be parted from: all other parameters, the
// If-Modified-Since header and the user. [doc] for the parameters, [?] for the
// header
func bound(r *http.Request, s zohoSession) []byte {
	query := r.URL.Query()
	query.Del("page")
	query.Del("page_token")
	return shortHash(s.user + "\n" + r.Header.Get("If-Modified-Since") + "\n" + canonical(query))
}

func shortHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:boundBytes]
}

func canonical(query url.Values) string {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		text.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(strings.Join(query[name], "\n")) + "&")
	}
	return text.String()
}

// pageToken seals a place, in fewer than the 100 characters that the documents
// allow it. [spec31]
func (a *zohoAuthority) pageToken(p pagePlace, bound []byte) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, placeBytes+2*boundBytes), uint64(p.after.time)) //nolint:gosec // taken back below
	b = binary.BigEndian.AppendUint64(b, uint64(p.after.id))                                           //nolint:gosec // taken back below
	b = binary.BigEndian.AppendUint32(b, p.passed)
	b = binary.BigEndian.AppendUint32(b, p.page)
	b = binary.BigEndian.AppendUint64(b, uint64(p.expires)) //nolint:gosec // taken back below
	b = append(b, bound...)
	return base64.RawURLEncoding.EncodeToString(append(b, a.pageMAC(b)...))
}

func (a *zohoAuthority) pageMAC(b []byte) []byte {
	m := hmac.New(sha256.New, a.mac)
	_, _ = m.Write(append([]byte("page\n"), b...))
	return m.Sum(nil)[:boundBytes]
}

// openPageToken reads a token that we made. It returns what it is bound to.
func (a *zohoAuthority) openPageToken(token string) (p pagePlace, bound []byte, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != placeBytes+2*boundBytes || !hmac.Equal(a.pageMAC(b[:placeBytes+boundBytes]), b[placeBytes+boundBytes:]) {
		return pagePlace{}, nil, false
	}
	p = pagePlace{
		after:  key{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}, //nolint:gosec // as they were put in
		passed: binary.BigEndian.Uint32(b[16:]), page: binary.BigEndian.Uint32(b[20:]),
		expires: int64(binary.BigEndian.Uint64(b[24:])), //nolint:gosec // as it was put in
	}
	return p, b[placeBytes : placeBytes+boundBytes], true
}
