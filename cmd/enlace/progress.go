package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"example.com/enlace/store"
)

// progress shows a run that goes on: a bar at a terminal, lines elsewhere.
type progress interface {
	update(run syncRun)
	close() // may be called again
}

func (a *app) newProgress() progress {
	if isTerminal(a.stdout) {
		return newBar(a.stdout)
	}
	return &lines{out: a.stdout, now: time.Now}
}

// lines writes one line when something has changed, at most one a second.
type lines struct {
	out  io.Writer
	now  func() time.Time
	last string
	at   time.Time
}

func (l *lines) update(run syncRun) {
	line := printable(run.Title) + ": " + counts(run)
	if total := run.RecordsTotal; total != nil && run.Status == store.InProgress {
		line = fmt.Sprintf("%s: %s of %s", printable(run.Title), number(run.RecordsSeen), about(run))
	}
	if line == l.last || l.now().Sub(l.at) < time.Second || run.ended() {
		return
	}
	l.last, l.at = line, l.now()
	_, _ = fmt.Fprintln(l.out, line)
}

func (l *lines) close() {}

// about is the total as far as it is known: it never promises more.
func about(run syncRun) string {
	if run.TotalIsEstimate {
		return "about " + number(*run.RecordsTotal)
	}
	return number(*run.RecordsTotal)
}

// bar is a line that moves.
type bar struct {
	group *mpb.Progress
	line  *mpb.Bar
	run   atomic.Pointer[syncRun] // mpb draws from a goroutine of its own
	ended bool
}

func newBar(out io.Writer) *bar {
	b := &bar{group: mpb.New(mpb.WithOutput(out), mpb.WithWidth(60), mpb.WithAutoRefresh())}
	b.run.Store(new(syncRun))
	state := func(decor.Statistics) string { return printable(b.run.Load().Title) + " " }
	tally := func(decor.Statistics) string {
		run := b.run.Load()
		if run.RecordsTotal == nil {
			return " " + number(run.RecordsSeen)
		}
		return fmt.Sprintf(" %s of %s", number(run.RecordsSeen), about(*run))
	}
	b.line = b.group.New(0, mpb.BarStyle(), mpb.PrependDecorators(decor.Any(state)), mpb.AppendDecorators(decor.Any(tally)))
	return b
}

func (b *bar) update(run syncRun) {
	b.run.Store(&run)
	if run.RecordsTotal != nil {
		b.line.SetTotal(max(*run.RecordsTotal, run.RecordsSeen+1), false) // it is full when the run has ended, not before
	}
	b.line.SetCurrent(run.RecordsSeen)
}

func (b *bar) close() {
	if b.ended {
		return
	}
	b.ended = true
	b.line.SetTotal(b.run.Load().RecordsSeen, true)
	b.line.Abort(false)
	b.group.Wait()
}
