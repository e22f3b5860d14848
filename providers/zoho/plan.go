package zoho

import (
	"context"

	"example.com/enlace/providers"
)

// PlanSweep implements [providers.SweepPlanner]: the call for the module's fields, then those of the way that [choose]
// takes. How often an export is looked after, nobody knows before.
func (c *contacts) PlanSweep(ctx context.Context, expected int64) (plan providers.SweepPlan, seen providers.Observation, err error) {
	c.seen = providers.Observation{}
	err = c.module(ctx)
	upTo := func(each int64) int64 { return (expected + each - 1) / each }
	more := int64(max(len(c.names)-1, 0)) // calls for fields beyond the first 50, each for a hundred records
	plan = providers.SweepPlan{Exact: true, Again: true, Sample: position{Way: List}.cursor()}
	switch choose(c.cfg.Full, expected, c.cfg.ListLimit, len(c.names)) {
	case Keyset:
		pages := max(upTo(maxKeyset), 1)
		plan.Calls, plan.Quota = pages+more*upTo(maxIDs), 3*pages+more*upTo(maxIDs)
	case Bulk:
		jobs := max(upTo(maxJob), 1)
		plan.Calls, plan.Quota, plan.Exact = 4*jobs, (50+10)*jobs, false
	case List, Auto:
		plan.Calls = max(upTo(maxPage), 1) + more*upTo(maxIDs)
		plan.Quota = plan.Calls
	}
	plan.Calls++
	plan.Quota++
	return plan, c.seen, err
}
