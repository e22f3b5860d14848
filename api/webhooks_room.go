package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"example.com/enlace/providers/words"
)

const (
	bodiesAtOnce = 64 << 20 // bytes of notifications that are held at a time, in a process
	firstStep    = 4 << 10  // of them that one takes to begin with; each next is twice as long
	retryRoom    = 5 * time.Second
)

// room bounds the memory that notifications take before they are in the inbox. What a sender has announced but not sent
// takes none of it. Safe for concurrent use.
type room struct{ left *semaphore.Weighted }

func newRoom(most int64) *room { return &room{left: semaphore.NewWeighted(most)} }

var errFull = errors.New("too many notifications at a time")

// read reads a body to its end. Call leave when it is no longer held, also after an error, of which [errFull] says that
// there is no room for more of it now.
func (m *room) read(from io.Reader) (body []byte, leave func(), err error) {
	var taken int64
	leave = func() { m.left.Release(taken) }
	var whole bytes.Buffer
	for step := int64(firstStep); ; step *= 2 {
		if !m.left.TryAcquire(step) {
			return whole.Bytes(), leave, errFull
		}
		taken += step
		n, err := whole.ReadFrom(io.LimitReader(from, step))
		switch {
		case err != nil:
			return whole.Bytes(), leave, err
		case n < step:
			return whole.Bytes(), leave, nil
		}
	}
}

// crowded is the refusal of a notification that there is no room for: the provider sends it again.
func (s *Server) crowded() *fault {
	return &fault{code: words.Internal, status: http.StatusServiceUnavailable, retryAt: s.opts.Now().Add(retryRoom), err: errFull}
}
