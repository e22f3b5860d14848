package sandbox

type bulkJob struct{}
type bulkJobs struct{ byID map[string]*bulkJob }

func (z *Zoho) bulkJobCount() int { return len(z.jobs.byID) }
