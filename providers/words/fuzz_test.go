package words_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/words"
)

// everyText renders the whole table with the same values.
func everyText(lang words.Lang, args words.Args) []string {
	var all []string
	add := func(t words.Text) { all = append(append(all, t.Title, t.Sentence), t.Buttons...) }
	for _, f := range words.Codes() {
		add(words.Render(lang, f.Code, "", args))
		for _, v := range f.Variants {
			add(words.Render(lang, f.Code, v.Name, args))
		}
	}
	for _, key := range []string{words.WaitBackoff, words.WaitReserve, words.WaitPaced, words.WaitChannelPaused, words.WaitBlocked} {
		all = append(all, words.WaitingReason(lang, key, args))
	}
	for _, key := range []string{words.HeldManyMissing, words.HeldAllMissing, words.HeldSampleGone, words.HeldSampleHidden, words.HeldSampleFailed} {
		all = append(all, words.Held(lang, key, args))
	}
	for _, key := range []string{words.SkipTooLarge, words.SkipBadTime, words.SkipBadShape, words.SkipRefused} {
		all = append(all, words.Skipped(lang, key, args))
	}
	for _, key := range []string{words.LandingConnected, words.LandingReconnected, words.LandingOtherAccount, words.LandingPartial, words.LandingThrottled} {
		add(words.Landing(lang, key, args).Text)
	}
	for _, key := range []string{words.ScreenContactsNoMatch, words.ScreenInboxNone, words.ScreenIncidentsNone, words.ScreenRolledBack, words.ScreenOffline} {
		add(words.Screen(lang, key, args))
	}
	for _, key := range []string{words.AskDisconnect, words.AskDisconnectShared, words.AskCancelRun, words.AskFullResync, words.AskConfirmDeletions, words.AskResendUnknown, words.AskReconnectZoho, words.AskRevokeKey} {
		add(words.Confirmation(lang, key, args))
	}
	for _, key := range []string{words.IncidentSubjectOpen, words.IncidentLine2, words.IncidentLine3Act, words.IncidentLine3Fault, words.IncidentBodyClosed, words.IncidentFooter} {
		all = append(all, words.IncidentPart(lang, key, args))
	}
	for _, key := range []string{words.PhraseTooLong, words.PhraseUnknown, words.PhraseNotJSON, words.PhraseDecided, words.PhraseSettled} {
		all = append(all, words.Phrase(lang, key, args))
	}
	for _, status := range []string{"pending", "in_progress", "completed", "failed", ""} {
		s := words.RunState(lang, words.RunFacts{Status: status, WaitingReason: args.Name, Outcome: args.State, ErrorCode: words.Code(args.Title), NextSyncAt: args.At}, args)
		all = append(all, s.Label, s.Tooltip)
	}
	return all
}

// FuzzRender gives every subset of hostile values to every text: none shows a
// placeholder of its own, and no value is read as a template.
func FuzzRender(f *testing.F) {
	f.Add(uint64(0), "", "", int64(0), int64(0), 0.0)
	f.Add(uint64(math.MaxUint64), "{at}", "[{n:a/b}]", int64(1), int64(1764072000), 20.0)
	f.Add(uint64(0x5555555555555555), "Nordlicht GmbH", "@every 15m", int64(-1), int64(math.MaxInt64), math.Inf(1))
	f.Add(uint64(0xaaaaaaaaaaaaaaaa), "a\x00b", "*/15 * * * *", int64(math.MinInt64), int64(math.MinInt64), math.NaN())
	f.Fuzz(func(t *testing.T, present uint64, text, other string, number, seconds int64, percent float64) {
		const openMark, closeMark = "\ue000", "\ue001"
		text, other = strings.NewReplacer(openMark, "", closeMark, "").Replace(text), strings.NewReplacer(openMark, "", closeMark, "").Replace(other)
		marked := strings.NewReplacer("{", openMark, "}", closeMark)
		plain := hostile(present, text, other, number, seconds, percent)
		opaque := hostile(present, marked.Replace(text), marked.Replace(other), number, seconds, percent)
		opaque.Detail = plain.Detail // its braces are its own, in quotes

		for _, lang := range []words.Lang{words.En, words.Es} {
			with, without := everyText(lang, plain), everyText(lang, opaque)
			for i := range with {
				require.True(t, clean(with[i]), "%q", with[i])
				require.NotContains(t, with[i], "  ")
				require.Equal(t, marked.Replace(with[i]), marked.Replace(without[i]), "a value is only a value")
				if !strings.ContainsAny(plain.Detail, "{}[]") {
					require.NotContains(t, without[i], "{")
					require.NotContains(t, without[i], "}")
				}
			}
		}
	})
}

// hostile makes values of which the bits of present say who is there.
func hostile(present uint64, text, other string, number, seconds int64, percent float64) words.Args {
	bit := func() bool {
		b := present&1 == 1
		present >>= 1
		return b
	}
	str := func(s string) string {
		if bit() {
			return s
		}
		return ""
	}
	num := func() *int64 {
		if bit() {
			return &number
		}
		return nil
	}
	when := func() time.Time {
		if bit() {
			return time.Unix(seconds, 0)
		}
		return time.Time{}
	}
	a := words.Args{
		Now: when(), Provider: str(text), Account: str(other), Name: str(text), To: str(other), Field: str(text), Limit: str(other),
		What: str(text), Detail: str(other), Schedule: str(other), State: str(text), Title: str(other), Tenant: str(text),
		Button: str(other), Link: str(text), Hint: str(other),
		N: num(), Count: num(), Live: num(), Total: num(), Missing: num(), Exist: num(), Calls: num(), Rate: num(),
		At: when(), Until: when(), Since: when(), AsOf: when(), Ago: when(), Date: when(),
		CountsMatch: bit(),
	}
	if bit() {
		a.Percent = &percent
	}
	if bit() {
		a.Duration, a.ETA = time.Duration(number), time.Duration(seconds)
	}
	if bit() {
		a.Zone = time.FixedZone("", 5*3600+45*60)
	}
	return a
}

// FuzzRedact seeds tokens of the shapes that providers give out, an address
// and a number: nothing of them is left, whatever stands around them.
func FuzzRedact(f *testing.F) {
	f.Add("", "")
	f.Add(`{"error":"`, `"}`)
	f.Add("Authorization: Bearer ", "\n")
	f.Add("token: ", " expired")
	f.Add("a\xff", "\u202e\x00")
	f.Fuzz(func(t *testing.T, before, after string) {
		sum := sha256.Sum256([]byte(before + "|" + after))
		hexed := hex.EncodeToString(sum[:20])
		secrets := map[string]string{
			"access_token=" + hexed[:12]: hexed[:12],
			hexed:                        hexed[8:24],
			base64.RawURLEncoding.EncodeToString(sum[:]):             base64.RawURLEncoding.EncodeToString(sum[:])[10:30],
			base64.StdEncoding.EncodeToString(sum[:]):                base64.StdEncoding.EncodeToString(sum[:])[10:30],
			"Bearer " + hexed[:10]:                                   hexed[:10],
			"v1.key." + base64.RawURLEncoding.EncodeToString(sum[:]): base64.RawURLEncoding.EncodeToString(sum[:])[10:30],
			"1000." + hexed[:32] + "." + hexed[8:40]:                 hexed[8:24],
			"ana.ruiz@ejemplo.com":                                   "ejemplo",
			"+52 55 1234 5678":                                       "1234",
		}
		for seeded, secret := range secrets {
			out := words.Redact(before + " " + seeded + " " + after)
			require.True(t, clean(out), "%q", out)
			if !strings.Contains(words.Redact(before)+words.Redact(after), secret) {
				require.NotContains(t, out, secret)
			}
			rendered := words.Render(words.Es, words.Blocked, "", words.Args{Detail: before + " " + seeded + " " + after}).Sentence
			if !strings.Contains(before+after, secret) {
				require.NotContains(t, rendered, secret)
			}
		}
	})
}
