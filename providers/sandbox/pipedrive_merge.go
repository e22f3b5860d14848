package sandbox

import (
	"fmt"
)

// merge is a merge of two persons that is going on; zero for none.
type merge struct{ winner, loser int64 }

// Merge merges one person of a company into another: the loser is deleted, the
// winner changed, both stamped now. Both must live.
func (p *Pipedrive) Merge(company int, winner, loser int64) error {
	c, err := p.companyOf(company)
	if err != nil {
		return err
	}
	at, moves := p.sandbox.Now().Unix(), p.current().DeleteMovesTime
	c.persons.mu.Lock()
	defer c.persons.mu.Unlock()
	for _, id := range []int64{winner, loser} {
		if r, ok := c.persons.find(id); !ok || !r.living() || winner == loser {
			return fmt.Errorf("persons %d and %d must be two that live", winner, loser)
		}
	}
	c.merging = merge{winner: winner, loser: loser}
	c.persons.change(loser, func(r *record) { r.softDelete(at, moves) })
	c.persons.change(winner, func(r *record) { r.updated = at })
	c.merging = merge{}
	return nil
}

func (p *Pipedrive) mergeAction(asked struct {
	Company int   `json:"company"`
	Winner  int64 `json:"winner"`
	Loser   int64 `json:"loser"`
},
) (any, error) {
	if err := p.Merge(asked.Company, asked.Winner, asked.Loser); err != nil {
		return nil, err
	}
	return map[string]int64{"winner": asked.Winner, "loser": asked.Loser}, nil
}
