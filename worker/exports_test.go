package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
	"example.com/enlace/store"
)

const (
	zohoExports = "/crm/bulk/v8/read"
	zohoCount   = "/crm/v8/Contacts/actions/count"
)

// exportWorld is a world whose sweeps read exports of so many records.
func exportWorld(t *testing.T, contacts, each int) *zohoWorld {
	t.Helper()
	w := newZohoWorld(t, zohoOptions{contacts: contacts})
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.BulkPage = each }))
	w.way.Store(zoho.Bulk)
	return w
}

// downloads counts those of exports.
func (w *zohoWorld) downloads() (n int) {
	w.line.mu.Lock()
	defer w.line.mu.Unlock()
	for _, c := range w.line.calls {
		if strings.HasPrefix(c.Path, zohoExports) && strings.HasSuffix(c.Path, "/result") {
			n++
		}
	}
	return n
}

// An export is fetched once, however many slices read it.
func TestAnExportOutlivesItsSlice(t *testing.T) {
	t.Parallel()

	w := exportWorld(t, 4200, 2100)
	w.spans.Slice = time.Millisecond // a page each
	w.process(t)
	w.start(t)
	run := w.hurried(t, store.Full)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 4200, run.RecordsCreated)
	require.Equal(t, 2, w.downloads())
	require.Len(t, w.line.to(zohoFields), 1, "and what the fields are is asked once")
}

// A provider that goes on preparing an export has answered: what went wrong before is over.
func TestWaitingForAnExportIsProgress(t *testing.T) {
	t.Parallel()

	w := exportWorld(t, 100, 200)
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.BulkPolls = 1000 }))
	w.line.always(zohoCount, func(zohoCall) sandbox.Answer { return sandbox.Answer{Status: http.StatusBadGateway} })
	w.start(t)
	run := w.enqueue(t, store.Full)
	w.until(t, run.ID, func(r store.Run) bool { return r.FailuresInRow >= 2 })
	w.line.mu.Lock()
	delete(w.line.serve, zohoCount)
	w.line.mu.Unlock()
	run = w.until(t, run.ID, func(r store.Run) bool { return r.WaitingReason != nil && *r.WaitingReason == "export" })
	require.Zero(t, run.FailuresInRow)
}

// A run that becomes a full one asks how many there are also if that fails at first.
func TestTheTotalIsAskedAgain(t *testing.T) {
	t.Parallel()

	w := newZohoWorld(t, zohoOptions{contacts: 300})
	w.start(t)
	require.Equal(t, store.Finished, *w.hurried(t, store.Full).Outcome)
	require.NoError(t, w.zoho.Configure(func(s *sandbox.ZohoSettings) { s.ListLimit = 200 }))
	_, err := w.zoho.Mutate(0, sandbox.Mutation{Create: 20, Update: 250})
	require.NoError(t, err)
	w.line.forget()
	failed := false
	w.line.always(zohoCount, func(zohoCall) sandbox.Answer {
		if !failed {
			failed = true
			return sandbox.Answer{Status: http.StatusBadGateway}
		}
		return sandbox.Answer{Body: `{"count":320}`}
	})
	run := w.hurried(t, store.Incremental)
	require.Equal(t, store.Finished, *run.Outcome)
	require.EqualValues(t, 320, *run.RecordsTotal)
	require.EqualValues(t, 320, run.RecordsSeen)
	require.Len(t, w.line.to(zohoCount), 3, "refused, for the walk, and in the end")
}
