package store

import (
	"time"

	"example.com/enlace/providers"
)

// AccountID is the provider's name of an integration's account; ours for one that was adopted from the earlier system and
// is not yet connected here.
func (i Integration) AccountID() string {
	if i.ExternalAccountID != nil {
		return *i.ExternalAccountID
	}
	return i.ID.String()
}

// Account is what an adapter must know of an integration's account.
func (i Integration) Account() providers.Account {
	return providers.Account{
		ExternalID: stringOf(i.ExternalAccountID), APIDomain: stringOf(i.APIDomain), AuthServer: stringOf(i.AuthServer),
		EverWorked: i.SweptAt != nil || i.Watermark != nil,
	}
}

// DeletionsKnown is until when the account's deletions are known; zero: nothing is stored that could have been deleted.
func (i Integration) DeletionsKnown() time.Time {
	switch {
	case i.DeletedUntil != nil:
		return *i.DeletedUntil
	case i.WindowEnd != nil:
		return *i.WindowEnd
	}
	return time.Time{}
}

// DeletionsForgotten reports whether the account was away for longer than its provider lists deletions: a sweep alone
// finds them then.
func (i Integration) DeletionsForgotten(kept time.Duration, now time.Time) bool {
	known := i.DeletionsKnown()
	return kept > 0 && !known.IsZero() && now.Sub(known) > kept
}

func stringOf(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
