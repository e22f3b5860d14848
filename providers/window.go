package providers

import (
	"fmt"
	"strconv"
	"time"
)

// Window is the cursor of a [Bounded] list of changes: the times that it covers, in milliseconds of Unix time, and the
// largest id that was read. The first answer closes it.
type Window struct{ From, Upper, Last int64 } // Upper is 0 while it is open

// Window is the one of a request: its cursor's, or a new one. The error is an [*Error] of kind [CursorExpired].
func (c *Caller) Window(ask Ask, req ListRequest) (w Window, err error) {
	if req.Cursor == "" {
		return Window{From: req.UpdatedSince.Truncate(time.Second).UnixMilli()}, nil
	}
	if _, err := fmt.Sscanf(string(req.Cursor), "%d|%d|%d", &w.From, &w.Upper, &w.Last); err != nil {
		return w, &Error{Kind: CursorExpired, Op: c.op(ask), Err: err}
	}
	return w, nil
}

// Advance leads from a page of records in the order of ids to the next one, if the provider has one. An open window is
// closed at the answer's own time, or at ours if it has none. A page that doesn't lead on is [SchemaChanged].
func (c *Caller) Advance(ask Ask, w Window, page Page) (Page, error) {
	if page.Next == "" { // a short page alone is no end
		return page, nil
	}
	if w.Upper == 0 {
		if w.Upper = page.Date.UnixMilli(); page.Date.IsZero() {
			w.Upper = time.Now().UnixMilli()
		}
	}
	before := w.Last
	for _, id := range page.IDs() {
		n, _ := strconv.ParseInt(id, 10, 64)
		w.Last = max(w.Last, n)
	}
	if w.Last == before {
		return Page{}, c.Unexpected(ask, "the list of changes does not go on")
	}
	page.Next = Cursor(fmt.Sprintf("%d|%d|%d", w.From, w.Upper, w.Last))
	return page, nil
}
