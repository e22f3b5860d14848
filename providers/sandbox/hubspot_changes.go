package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kinds of change, as webhooks call them.
const (
	contactCreation        = "contact.creation"
	contactPropertyChange  = "contact.propertyChange"
	contactDeletion        = "contact.deletion"
	contactPrivacyDeletion = "contact.privacyDeletion"
	contactMerge           = "contact.merge"
	contactRestore         = "contact.restore"
)

// mergeBook knows which contacts were merged into which, by their numbers.
type mergeBook struct {
	mu   sync.Mutex
	lost map[int64][]lostContact // by survivor
	into map[int64]int64         // survivor by lost contact
}

type lostContact struct {
	number int64
	at     int64 // Unix milliseconds
}

func newMergeBook() *mergeBook {
	return &mergeBook{lost: map[int64][]lostContact{}, into: map[int64]int64{}}
}

func (b *mergeBook) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.lost)
	clear(b.into)
}

// survivor finds what a contact was merged into.
func (b *mergeBook) survivor(number int64) (int64, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	survivor, lost := b.into[number]
	return survivor, lost
}

// add writes down a merge; what had been merged into the lost ones goes along.
func (b *mergeBook) add(survivor int64, lost []int64, at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.lost[survivor]
	for _, number := range lost {
		list = append(append(list, b.lost[number]...), lostContact{number, at})
		delete(b.lost, number)
	}
	for _, l := range list {
		b.into[l.number] = survivor
	}
	b.lost[survivor] = list
}

// describe sets the two merge properties of a survivor.
func (b *mergeBook) describe(props properties, number int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.lost[number]
	if len(list) == 0 {
		return
	}
	var ids, vids []string
	for _, l := range list {
		ids = append(ids, hubspotIDText(l.number))
		vids = append(vids, hubspotIDText(l.number)+":"+strconv.FormatInt(l.at, 10))
	}
	merged, mergedVIDs := strings.Join(ids, ";"), strings.Join(vids, ";")
	props[propMerged], props[propMergedVIDs] = &merged, &mergedVIDs
}

// hubspotIDs makes ids of numbers, in place.
func hubspotIDs(numbers []int64) []int64 {
	for i := range numbers {
		numbers[i] = hubspotID(numbers[i])
	}
	return numbers
}

// SetContacts gives a portal n newly generated contacts and forgets its changed
// ones. Nothing happens if n live there already.
func (h *HubSpot) SetContacts(portal, n int) error {
	p, err := h.portalOf(portal)
	if err != nil {
		return err
	}
	if n < 0 {
		return errors.New("contacts must not be negative")
	}
	if p.contacts.living() != n {
		p.contacts.renew(n, h.sandbox.Now())
		p.merges.forget()
		p.index.forget()
	}
	return nil
}

// Mutate creates, updates, archives and purges contacts of a portal, all of them
// in one millisecond. The ids that it returns are HubSpot's.
func (h *HubSpot) Mutate(portal int, m Mutation) (Mutated, error) {
	p, err := h.portalOf(portal)
	if err != nil {
		return Mutated{}, err
	}
	done, err := p.contacts.mutate(m, h.sandbox.Now(), false)
	if err != nil {
		return done, err
	}
	for _, part := range []struct {
		kind    string
		numbers []int64
	}{
		{contactCreation, done.Created},
		{contactPropertyChange, done.Updated},
		{contactDeletion, done.Deleted},
		{contactDeletion, done.Purged},
	} {
		h.announce(p, part.kind, hubspotIDs(part.numbers)...)
	}
	return done, nil
}

func (h *HubSpot) announce(p *portal, kind string, ids ...int64) {
	if len(ids) > 0 {
		h.changed(p, kind, ids)
	}
}

// Put stores a contact that a test wrote, as JSON in the form of the API and with
// any id from 0. Its times and archived are read from it. Nobody is told of it.
func (h *HubSpot) Put(portal int, contact string) error {
	p, err := h.portalOf(portal)
	if err != nil {
		return err
	}
	var o contactObject
	if err := json.Unmarshal([]byte(contact), &o); err != nil {
		return fmt.Errorf("read the contact: %w", err)
	}
	id, err := strconv.ParseUint(o.ID, 10, 62)
	if err != nil || o.Properties == nil {
		return errors.New("a contact needs an id of digits, and properties")
	}
	r := record{id: hubspotNumber(int64(id)), updated: noTime, raw: []byte(contact)}
	if r.added, err = millis(&o.CreatedAt); err != nil {
		return err
	}
	if r.updated, err = millis(o.Properties[propModified]); err != nil {
		return err
	}
	if o.Archived {
		r.deleted = h.sandbox.Now().UnixMilli()
	}
	if o.ArchivedAt != nil {
		if r.deleted, err = millis(o.ArchivedAt); err != nil {
			return err
		}
	}
	p.contacts.put(r)
	return nil
}

func millis(text *string) (int64, error) {
	if text == nil {
		return noTime, nil
	}
	at, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return 0, fmt.Errorf("read a time of the contact: %w", err)
	}
	return at.UnixMilli(), nil
}

// Update changes a living contact, stamped now; false if it does not live.
func (h *HubSpot) Update(portal int, id int64) bool {
	return h.edit(portal, id, contactPropertyChange, func(r *record, now int64) { r.updated, r.raw = now, nil })
}

// Delete archives a contact, which does not move its lastmodifieddate; false if
// it does not live.
func (h *HubSpot) Delete(portal int, id int64) bool {
	return h.edit(portal, id, contactDeletion, func(r *record, now int64) { r.softDelete(now, false) })
}

// Purge removes a living contact without a trace; false if it does not live.
func (h *HubSpot) Purge(portal int, id int64) bool {
	return h.edit(portal, id, contactDeletion, func(r *record, _ int64) { r.purged = true })
}

// Erase removes a living contact as the law on privacy asks: it is in no list any
// more, and two kinds of change are told. It is false if the contact does not
// live.
func (h *HubSpot) Erase(portal int, id int64) bool {
	if !h.edit(portal, id, contactPrivacyDeletion, func(r *record, _ int64) { r.purged, r.raw = true, nil }) {
		return false
	}
	h.announce(h.portal(portal), contactDeletion, id)
	return true
}

func (h *HubSpot) edit(portal int, id int64, kind string, change func(r *record, now int64)) bool {
	p, err := h.portalOf(portal)
	now := h.sandbox.Now().UnixMilli()
	if err != nil || !p.contacts.edit(hubspotNumber(id), func(r *record) { change(r, now) }) {
		return false
	}
	h.announce(p, kind, id)
	return true
}

// Restore brings archived contacts of a portal back, those with the ids or, with
// none, all that can still be restored. It returns which came back.
func (h *HubSpot) Restore(portal int, ids ...int64) ([]int64, error) {
	p, err := h.portalOf(portal)
	if err != nil {
		return nil, err
	}
	at := int64(noTime)
	if h.current().RestoreMovesTime {
		at = h.sandbox.Now().UnixMilli()
	}
	restored := p.contacts.revive(at, func(r record) bool {
		return h.restorable(r) && (len(ids) == 0 || slices.Contains(ids, hubspotID(r.id)))
	})
	if len(ids) > 0 && len(restored) == 0 {
		return nil, errors.New("none of these contacts is archived and can be restored")
	}
	h.announce(p, contactRestore, hubspotIDs(restored)...)
	return restored, nil
}

// revive undoes soft deletions, and moves the update time to at unless it is
// noTime.
func (s *records) revive(at int64, which func(record) bool) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	revived := []int64{}
	for id, r := range s.changed {
		if which(r) {
			r.deleted = 0
			if at != noTime {
				r.updated = at
			}
			s.store(r)
			revived = append(revived, id)
		}
	}
	slices.Sort(revived)
	return revived
}

// Merged tells what a merge did.
type Merged struct {
	Primary  int64   `json:"primary"`
	Other    int64   `json:"other"`
	Survivor int64   `json:"survivor"` // a new id, or the primary
	Lost     []int64 `json:"lost"`     // the ids that ended with this merge
}

// Merge merges a living contact into a living primary; with 0 for both it picks
// two. What survives has the primary's content, and a new id if MergeNewID.
func (h *HubSpot) Merge(portal int, primary, other int64) (Merged, error) {
	p, err := h.portalOf(portal)
	if err != nil {
		return Merged{}, err
	}
	if primary == 0 && other == 0 {
		picked, err := p.contacts.some(2)
		if err != nil {
			return Merged{}, err
		}
		primary, other = hubspotID(picked[0]), hubspotID(picked[1])
	}
	now := h.sandbox.Now().UnixMilli()
	survivor, lost, err := p.merge(hubspotNumber(primary), hubspotNumber(other), now, h.current())
	if err != nil {
		return Merged{}, err
	}
	p.merges.add(survivor, lost, now)
	done := Merged{Primary: primary, Other: other, Survivor: hubspotID(survivor), Lost: hubspotIDs(lost)}
	h.announce(p, contactMerge, slices.Concat([]int64{primary}, done.Lost, []int64{done.Survivor})...)
	h.announce(p, contactDeletion, done.Lost...)
	return done, nil
}

// some draws n living records.
func (s *records) some(n int) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if living := s.countLiving(); living < n {
		return nil, fmt.Errorf("%d contacts are needed, but only %d live", n, living)
	}
	return s.pick(n), nil
}

// merge ends the lost records and stores the one that survives.
func (p *portal) merge(primary, other, now int64, settings HubSpotSettings) (survivor int64, lost []int64, err error) {
	s := p.contacts
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, ok := s.find(primary)
	second, otherOK := s.find(other)
	if !ok || !otherOK || !kept.living() || !second.living() || primary == other {
		return 0, nil, fmt.Errorf("contacts %d and %d must be two that live", hubspotID(primary), hubspotID(other))
	}
	result, ended := kept, []record{second}
	if settings.MergeNewID {
		ended = []record{kept, second}
		result.id = s.lastID + 1
		copied := p.object(kept)
		copied.ID, copied.UpdatedAt = hubspotIDText(result.id), ""
		if result.raw, err = json.Marshal(copied); err != nil {
			return 0, nil, fmt.Errorf("copy the primary: %w", err)
		}
	}
	if settings.MergeMovesTime {
		result.updated = now
	}
	for _, r := range ended {
		r.purged = true
		s.store(r)
		lost = append(lost, r.id)
	}
	s.store(result)
	return result.id, lost, nil
}
