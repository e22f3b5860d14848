package words

import (
	"regexp"
	"strings"
	"unicode"
)

// redacted stands where something was cut.
const redacted = "***"

// redactInput bounds the work for one text, in bytes; what is beyond never
// reaches a person.
const redactInput = 8 << 10

var (
	// A scheme of the Authorization header and what follows it.
	authScheme = regexp.MustCompile(`(?i)\b((?:(?:bearer|basic|zoho-oauthtoken)[\s:="']+)+)(\S+)`)
	schemeName = regexp.MustCompile(`(?i)^(bearer|basic|zoho-oauthtoken)$`)
	// The query of an address, and a user before its host.
	urlQuery = regexp.MustCompile(`(?i)(\bhttps?://[^\s?"'<>]*\?)[^\s"'<>]+`)
	urlUser  = regexp.MustCompile(`(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@`)
	// name=value, name: value, "name":"value".
	secretPair = regexp.MustCompile(`(?i)([\w-]*(?:token|secret|password|passwd|pwd|api_?-?key|authorization|signature|cookie|session|credential)[\w-]*\\?["']?)(\s*[=:]\s*)(\\?"[^"]*"|'[^']*'|[^\s&,;"'<>)\]}]+)`)
	codePair   = regexp.MustCompile(`(?i)\b(code|state|sig|hmac|otp|pin)(\s*=\s*)("[^"]*"|'[^']*'|[^\s&,;"'<>)\]}]+)`)

	email  = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}._-]+`)
	phone  = regexp.MustCompile(`\+?\(?\p{Nd}(?:[\s().\-/]{0,3}\p{Nd}){6,}`)
	opaque = regexp.MustCompile(`[A-Za-z0-9_\-.~+/=%|]{20,}`)
	date   = regexp.MustCompile(`^\p{Nd}{4}-\p{Nd}{2}-\p{Nd}{2}(?:\s\p{Nd}{1,2})?$`)
	word   = regexp.MustCompile(`^[a-z]{1,14}$`)
)

// Redact cuts secrets and personal data out of somebody else's words: tokens
// by their name, their header or their looks, codes of addresses, e-mail
// addresses and phone numbers. It makes one line of the rest, without control
// or invisible characters. It prefers to cut too much; the provider's own
// error numbers and names stay. Text beyond 8 KiB is dropped.
func Redact(s string) string {
	if len(s) > redactInput {
		s = s[:redactInput]
		if space := strings.LastIndexFunc(s, unicode.IsSpace); space >= 0 {
			s = s[:space] // no half of a token
		}
	}
	s = plain(strings.ToValidUTF8(s, ""))
	s = authScheme.ReplaceAllStringFunc(s, cutCredential)
	s = urlQuery.ReplaceAllString(s, "${1}"+redacted)
	s = urlUser.ReplaceAllString(s, "${1}"+redacted+"@")
	s = secretPair.ReplaceAllStringFunc(s, cutPair)
	s = codePair.ReplaceAllString(s, "$1$2"+redacted)
	s = opaque.ReplaceAllStringFunc(s, cutOpaque)
	s = email.ReplaceAllString(s, redacted)
	return phone.ReplaceAllStringFunc(s, cutPhone)
}

// cutCredential cuts what follows a scheme, except in "bearer token" and in
// "basic plan", where it goes on in plain words.
func cutCredential(match string) string {
	parts := authScheme.FindStringSubmatch(match)
	scheme, value := parts[1], parts[2]
	if strings.EqualFold(value, "token") || (strings.EqualFold(strings.TrimSpace(scheme), "basic") && word.MatchString(strings.TrimRight(value, ".,;:"))) {
		return match
	}
	return scheme + redacted
}

// cutPair keeps the name and cuts the value, except where a sentence goes on
// with a plain word: "Invalid token: expired".
func cutPair(match string) string {
	parts := secretPair.FindStringSubmatch(match)
	name, sep, value := parts[1], parts[2], parts[3]
	if schemeName.MatchString(value) {
		return match // what follows it is cut already
	}
	if sep == ": " && word.MatchString(value) && !strings.Contains(strings.ToLower(name), "passw") && !strings.Contains(strings.ToLower(name), "secret") {
		return match
	}
	return name + sep + redacted
}

// cutOpaque cuts a long string that nobody would read as words: many digits,
// many changes between small letters, capitals and digits, or one long part.
func cutOpaque(match string) string {
	digits, changes, run, longest := 0, 0, 0, 0
	previous := ' '
	for _, c := range match {
		class := characterClass(c)
		if class == '0' {
			digits++
		}
		run++
		if class == ' ' {
			run = 0
		}
		longest = max(longest, run)
		if class != previous && class != ' ' && previous != ' ' {
			changes++
		}
		previous = class
	}
	if digits >= 6 || changes >= 8 || longest >= 25 {
		return redacted
	}
	return match
}

// characterClass is 'a' for a small letter, 'A' for a capital, '0' for a digit
// and ' ' for the rest.
func characterClass(c rune) rune {
	switch {
	case unicode.IsLower(c):
		return 'a'
	case unicode.IsUpper(c):
		return 'A'
	case unicode.IsDigit(c):
		return '0'
	}
	return ' '
}

// cutPhone leaves a date alone, which has the digits of a phone number.
func cutPhone(match string) string {
	if date.MatchString(match) {
		return match
	}
	return redacted
}
