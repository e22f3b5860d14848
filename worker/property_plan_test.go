//go:build unix

package worker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"example.com/enlace/providers/sandbox"
)

// sequence is a story of an account and its workers, made from its seed alone. Every step makes sense whatever came
// before it, so that a story that fails can be told with fewer of them.
type sequence struct {
	seed     uint64
	provider string
	contacts int
	page     int           // the provider's largest page
	workers  time.Duration // how far the database's clock is ahead of the workers'
	remote   time.Duration // how far the provider's is ahead of the database's, at first
	honest   bool          // every change is dated or told: after it an incremental alone must find everything
	steps    []step
}

// step is something that happens. What its numbers choose among is known when it happens.
type step struct {
	do    string
	n, m  int
	d     time.Duration
	fault sandbox.Fault
	at    place
}

func (s step) String() string {
	switch {
	case s.fault.Kind != "":
		path := s.fault.Path
		if path == "" {
			path = "every path"
		}
		return fmt.Sprintf("%s %s at call %d, %d times: %s", s.do, s.fault.Kind, s.fault.AtCall, s.fault.Times, path)
	case s.at != "":
		return fmt.Sprintf("%s (%s, passed %d times)", s.do, s.at, s.n)
	case s.d != 0:
		return fmt.Sprintf("%s %v", s.do, s.d)
	}
	return fmt.Sprintf("%s %d %d", s.do, s.n, s.m)
}

func (s sequence) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s, %d contacts, pages of %d, database %v ahead of workers, provider %v ahead of the database", s.seed, s.provider, s.contacts,
		s.page, s.workers, s.remote)
	if s.honest {
		b.WriteString(", honest")
	}
	for i, step := range s.steps {
		fmt.Fprintf(&b, "\n%3d. %v", i+1, step)
	}
	return b.String()
}

// option is a kind of step, with how often it is drawn.
type option struct {
	weight int
	honest bool // it may be in an honest story
	draw   func(r *rand.Rand) step
}

// plain is a step whose numbers are drawn.
func plain(do string) func(*rand.Rand) step {
	return func(r *rand.Rand) step { return step{do: do, n: r.IntN(1000), m: r.IntN(1000)} }
}

func pausing(do string, from, to time.Duration) func(*rand.Rand) step {
	return func(r *rand.Rand) step { return step{do: do, d: from + time.Duration(r.Int64N(int64(to-from)))} }
}

// options are the kinds of steps.
func options() []option {
	return []option{
		{6, true, plain("create")},
		{6, true, plain("update")},
		{6, true, plain("update one")},
		{4, true, plain("delete one")},
		{2, false, plain("purge one")},
		{2, false, plain("restore one")},
		{2, false, plain("merge two")},
		{2, false, plain("change one silently")},
		{1, false, plain("take one's time away")},
		{2, true, plain("make one odd")},
		{1, false, plain("make one unreadable")},

		{8, false, fault(lyingKinds)},
		{8, true, fault(plainKinds)},
		{4, true, fault(tokenKinds)},
		{3, true, plain("end the faults")},
		{1, true, plain("spend the day's budget")},
		{1, true, plain("give a new budget")},
		{2, true, plain("expire access tokens")},
		{1, true, plain("revoke the token")},
		{2, true, plain("reconnect")},
		{1, true, plain("pause")},
		{2, true, plain("resume")},
		{2, true, plain("webhooks lose")},
		{1, true, plain("webhooks double")},
		{1, true, plain("webhooks shuffle")},
		{1, true, plain("webhooks come again")},
		{2, false, pausing("the provider's clock jumps by", -5*time.Minute, 5*time.Minute)},
		{1, false, plain("answers have no date")},
		{2, true, plain("answers take long")},

		{8, true, plain("full sync")},
		{8, true, plain("incremental sync")},
		{6, true, plain("scheduled sync")},
		{3, true, plain("cancel")},
		{3, true, plain("retry")},

		{4, true, killing},
		{2, true, plain("kill a worker")},
		{2, true, plain("stop a worker")},
		{2, true, plain("start a worker")},
		{8, true, pausing("let it work for", 5*time.Millisecond, 250*time.Millisecond)},
		{5, true, plain("wait until all is done")},
	}
}

// The kinds of faults: those that lie about what there is, those of the line and the server, those of tokens.
var (
	lyingKinds = []sandbox.Kind{sandbox.FaultHalfPage, sandbox.FaultEmptyList, sandbox.FaultRepeatCursor}
	plainKinds = []sandbox.Kind{
		sandbox.Fault429, sandbox.Fault500, sandbox.FaultReset, sandbox.FaultResetAfterAccept, sandbox.FaultTruncate, sandbox.FaultMalformed,
		sandbox.FaultEmpty200, sandbox.Fault502, sandbox.Fault503HTML, sandbox.FaultHTML403, sandbox.FaultSlow, sandbox.FaultHang, sandbox.FaultDaily429,
		sandbox.FaultBadCursor, sandbox.Fault404,
	}
	tokenKinds = []sandbox.Kind{sandbox.Fault401, sandbox.FaultInvalidGrant, sandbox.Fault500, sandbox.FaultReset, sandbox.FaultTruncate, sandbox.FaultHTML403}
)

// Where faults strike; the provider says which paths these are.
const (
	anywhere  = ""
	atLists   = "/lists"
	atRecords = "/records"
	atTokens  = "/tokens"
)

func fault(kinds []sandbox.Kind) func(r *rand.Rand) step {
	return func(r *rand.Rand) step {
		f := sandbox.Fault{Kind: kinds[r.IntN(len(kinds))], AtCall: 1 + r.IntN(4), Times: 1 + r.IntN(1+r.IntN(4)), MS: 50 + r.IntN(400)}
		switch {
		case f.Kind == sandbox.FaultInvalidGrant || len(kinds) == len(tokenKinds) && f.Kind != sandbox.Fault401:
			f.Path = atTokens
		case len(kinds) == len(lyingKinds):
			f.Path = atLists
		default:
			f.Path = []string{anywhere, atLists, atLists, atRecords}[r.IntN(4)]
		}
		return step{do: "fault", fault: f}
	}
}

// killing is a death at a place that the worker will pass.
func killing(r *rand.Rand) step {
	var places []place
	for p := range everywhere(0, 0) {
		places = append(places, p)
	}
	slices.Sort(places)
	return step{do: "the next worker dies", at: places[r.IntN(len(places))], n: 1 + r.IntN(3)}
}

// planned makes the sequence of a seed.
func planned(seed uint64) sequence {
	r := rand.New(rand.NewPCG(seed, 0))
	s := sequence{
		seed: seed, provider: []string{"pipedrive", "zoho", "hubspot"}[r.IntN(3)],
		contacts: 8 + r.IntN(40), page: 3 + r.IntN(12), honest: r.IntN(3) == 0,
	}
	skew := func() time.Duration {
		return time.Duration(r.IntN(3)-1) * time.Duration(r.Int64N(int64(5*time.Minute)))
	}
	s.workers, s.remote = skew(), skew()
	list := slices.DeleteFunc(options(), func(o option) bool { return s.honest && !o.honest })
	sum := 0
	for _, o := range list {
		sum += o.weight
	}
	for range 5 + r.IntN(20) {
		at := r.IntN(sum)
		i := 0
		for ; at >= list[i].weight; i++ {
			at -= list[i].weight
		}
		s.steps = append(s.steps, list[i].draw(r))
	}
	return s
}
