package worker

import (
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"example.com/enlace/providers"
	"example.com/enlace/store/vault"
)

const (
	mostKept = 16
	keepFor  = 2 * time.Minute // longer than most waits of a run that goes on; the file of an export isn't to lie about
)

// keptSource is the source of a run between two of its slices, and the client that it asks through.
type keptSource struct {
	account providers.Account
	client  *vault.Client
	source  providers.ContactSource
	gone    *time.Timer
}

func (k *keptSource) close(log *zerolog.Logger) {
	closer, ok := k.source.(io.Closer)
	if !ok {
		return
	}
	if err := closer.Close(); err != nil {
		log.Warn().Err(err).Msg("could not close the contact source")
	}
}

// keptSources keeps the sources of runs that go on, so that what one holds open, such as the file of an export, needn't
// be fetched again by the next slice in this process. Nothing depends on it: a new source goes on from the cursor alone.
// Safe for concurrent use.
type keptSources struct {
	log *zerolog.Logger

	mu     sync.Mutex
	byRun  map[uuid.UUID]*keptSource
	closed bool
}

// keep keeps a source for a while. With too many of them, or at the process's end, it is closed at once.
func (s *keptSources) keep(run uuid.UUID, k *keptSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.byRun) >= mostKept {
		k.close(s.log)
		return
	}
	if s.byRun == nil {
		s.byRun = make(map[uuid.UUID]*keptSource)
	}
	s.drop(run) // of a slice that this one has overtaken
	s.byRun[run] = k
	k.gone = time.AfterFunc(keepFor, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.byRun[run] == k {
			s.drop(run)
		}
	})
}

// take gives a run its source back, if it is there and of the account as it is now; else nil.
func (s *keptSources) take(run uuid.UUID, account providers.Account) *keptSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.byRun[run]
	if k == nil {
		return nil
	}
	if k.account != account {
		s.drop(run)
		return nil
	}
	k.gone.Stop()
	delete(s.byRun, run)
	return k
}

// drop closes what is kept of a run. The caller holds mu.
func (s *keptSources) drop(run uuid.UUID) {
	if k := s.byRun[run]; k != nil {
		k.gone.Stop()
		k.close(s.log)
		delete(s.byRun, run)
	}
}

// close closes all of them, and whatever is still to be kept.
func (s *keptSources) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for run := range s.byRun {
		s.drop(run)
	}
}
