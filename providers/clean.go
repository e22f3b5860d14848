package providers

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// CleanJSON takes out of a JSON text what Postgres can't keep in text or jsonb: NUL, plain or escaped, bytes that
// aren't UTF-8, and escaped halves of surrogate pairs. The rest stays byte for byte. It works in place: the result
// shares b's memory.
func CleanJSON(b []byte) []byte {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, nil)
	}
	if bytes.IndexByte(b, 0) >= 0 {
		b = bytes.ReplaceAll(b, []byte{0}, nil)
	}
	if !bytes.Contains(b, []byte(`\u`)) {
		return b
	}
	out := b[:0]
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 == len(b) {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		b = b[i:]
		keep, skip := escape(b)
		out = append(out, b[:keep]...)
		b = b[keep+skip:]
	}
}

// escape measures the escape that b begins with: so many bytes to keep, or so many to leave out.
func escape(b []byte) (keep, skip int) {
	if b[1] != 'u' {
		return 2, 0
	}
	switch r := unit(b); {
	case r == 0 || r >= 0xDC00 && r <= 0xDFFF: // NUL; a second half without its first
		return 0, 6
	case r >= 0xD800 && r <= 0xDBFF:
		if next := unit(b[6:]); next >= 0xDC00 && next <= 0xDFFF {
			return 12, 0
		}
		return 0, 6
	case r < 0: // no escape at all: the decoder will say so
		return 2, 0
	}
	return 6, 0
}

// unit is the UTF-16 unit of an escape such as \u00e9 at the beginning of b, or -1.
func unit(b []byte) int {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// CleanText takes NUL and bytes that aren't UTF-8 out of s.
func CleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// Cut is the beginning of s, at most n bytes of whole characters.
func Cut[T string | []byte](s T, n int) T {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// ParseTime reads a provider's time leniently: RFC 3339 with or without a fraction, a blank instead of the T, and
// without a zone, which then is UTC. A blank text and the zero date of old MySQL rows are a missing time, not an error.
func ParseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasPrefix(text, "0000-00-00") {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", Cut(text, 40))
}

// Main is the address to use for a person: the first primary one that isn't blank, else the first that isn't blank,
// since providers mark none or several as primary. The value is untouched. ok is false where all are blank.
func Main(addresses []Address) (main Address, ok bool) {
	for _, a := range addresses {
		if strings.TrimSpace(a.Value) == "" {
			continue
		}
		if a.Primary {
			return a, true
		}
		if !ok {
			main, ok = a, true
		}
	}
	return main, ok
}
