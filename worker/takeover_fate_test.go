//go:build unix

package worker_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// place is where a process may end or stand still. The places are found by the statements that pass there, so the
// engine knows nothing of them.
type place string

const (
	claimed       place = "claimed"        // a slice has the run
	asking        place = "asking"         // before a request leaves
	answered      place = "answered"       // after its answer has come
	pageOpen      place = "page open"      // the page's transaction has the run's row
	pageWritten   place = "page written"   // before its commit
	pageCommitted place = "page committed" // after it
	lastOpen      place = "last open"      // the transaction that ends the run has the run's row
	lastWritten   place = "last written"   // before its commit
	lastCommitted place = "last committed" // after it
	leaving       place = "leaving"        // before the run is given back
	left          place = "left"           // after it; River knows nothing yet
	settling      place = "settling"       // before River's write of how attempts ended
	settled       place = "settled"        // after it
	takingOver    place = "taking over"    // within a takeover, before its commit
	takenOver     place = "taken over"     // after it
)

// everywhere has each place, the frequent ones with smaller odds.
func everywhere(kill, stop float64) map[place]odds {
	all := make(map[place]odds)
	for p, weight := range map[place]float64{
		claimed: 1, asking: .3, answered: .3, pageOpen: .3, pageWritten: .3, pageCommitted: .3, lastOpen: 3, lastWritten: 3, lastCommitted: 3,
		leaving: 1, left: 1, settling: 1, settled: 1, takingOver: 3, takenOver: 3,
	} {
		all[p] = odds{weight * kill, weight * stop}
	}
	return all
}

// fate traces a pool's statements and decides at each place whether the process goes on. It also shortens the server's
// patience with a transaction that stands still, which store.Open sets to the product's.
type fate struct {
	odds map[place]odds
	idle time.Duration
	out  io.Writer   // tells the test, before it is too late
	seen func(place) // nil: nobody counts

	open sync.Map // *pgx.Conn → what its transaction is: page, last or takeover
}

// The statements by which transactions and moments are known.
const (
	claimStatement    = "fence = r.fence + 1, lease_until = clock_timestamp()"
	fenceStatement    = "UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4\nWHERE"
	lastStatement     = "AND status = 'in_progress' FOR UPDATE"
	leaveStatement    = "failures_in_row = failures_in_row + CASE"
	takeoverStatement = "SET LOCAL lock_timeout"
	settleStatement   = "JobSetStateIfRunningMany"
)

// afterKey holds the places that a statement reaches when it has ended.
type afterKey struct{}

// TraceQueryStart implements [pgx.QueryTracer].
func (f *fate) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	after := func(p place) context.Context { return context.WithValue(ctx, afterKey{}, p) }
	switch {
	case strings.HasPrefix(data.SQL, "begin"), strings.HasPrefix(data.SQL, "rollback"):
		f.open.Delete(conn)
	case strings.Contains(data.SQL, claimStatement):
		return after(claimed)
	case strings.Contains(data.SQL, lastStatement):
		f.open.Store(conn, lastOpen)
		return after(lastOpen)
	case strings.Contains(data.SQL, takeoverStatement):
		f.open.Store(conn, takingOver)
	case strings.Contains(data.SQL, leaveStatement):
		f.pass(leaving)
		return after(left)
	case strings.Contains(data.SQL, settleStatement):
		f.pass(settling)
		return after(settled)
	case strings.HasPrefix(data.SQL, "commit"):
		kind, _ := f.open.LoadAndDelete(conn)
		switch kind {
		case pageOpen:
			f.pass(pageWritten)
			return after(pageCommitted)
		case lastOpen:
			f.pass(lastWritten)
			return after(lastCommitted)
		case takingOver:
			f.pass(takingOver)
			return after(takenOver)
		}
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (f *fate) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if p, ok := ctx.Value(afterKey{}).(place); ok {
		f.pass(p)
	}
}

// TraceBatchStart implements [pgx.BatchTracer].
func (f *fate) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if strings.Contains(data.Batch.QueuedQueries[0].SQL, fenceStatement) {
		f.open.Store(conn, pageOpen)
		return context.WithValue(ctx, afterKey{}, pageOpen)
	}
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (*fate) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (f *fate) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	if p, ok := ctx.Value(afterKey{}).(place); ok {
		f.pass(p)
	}
}

// TraceConnectStart implements [pgx.ConnectTracer].
func (*fate) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd implements [pgx.ConnectTracer].
func (f *fate) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if data.Conn == nil || f.idle == 0 {
		return
	}
	set := fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", f.idle.Milliseconds())
	if _, err := data.Conn.Exec(ctx, set); err != nil {
		_, _ = fmt.Fprintln(f.out, "error", err)
	}
}

// pass ends this process, or stops it until the test wakes it, or does nothing.
func (f *fate) pass(p place) {
	if f.seen != nil {
		f.seen(p)
	}
	switch o, n := f.odds[p], rand.Float64(); {
	case n < o.Kill:
		_, _ = fmt.Fprintln(f.out, "kill", p)
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {}
	case n < o.Kill+o.Stop:
		_, _ = fmt.Fprintln(f.out, "stop", p)
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
		<-time.After(time.Millisecond)
	}
}

// fatefulTransport has its fate before and after a request.
type fatefulTransport struct {
	http.RoundTripper

	fate *fate
}

// RoundTrip implements [http.RoundTripper].
func (t *fatefulTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.fate.pass(asking)
	resp, err := t.RoundTripper.RoundTrip(req)
	t.fate.pass(answered)
	return resp, err
}
