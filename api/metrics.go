package api

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"example.com/enlace/store"
)

// metrics are those of HTTP. Their labels are patterns, never paths: an id or a number in a label would be kept for ever.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	webhooks *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry, s *store.Store, log zerolog.Logger) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "enlace_http_requests_total", Help: "Requests by route and status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "enlace_http_request_seconds", Help: "How long requests took, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .02, .05, .1, .25, 1, 5, 30},
		}, []string{"route"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "enlace_webhooks_total", Help: "Notifications of providers, by what became of them.",
		}, []string{"provider", "result"}),
	}
	registry.MustRegister(m.requests, m.seconds, m.webhooks, newRowCounts(s, log), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe counts a request. One without a route has no pattern, whatever its path was.
func (m *metrics) observe(pattern string, status int, took time.Duration) {
	if pattern == "" {
		pattern = "none"
	}
	m.requests.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(pattern).Observe(took.Seconds())
}

// countTimeout bounds the counting for one scrape.
const countTimeout = 3 * time.Second

// rowCounts counts queue and runs when it is asked. Every process that is scraped counts the same rows: take the maximum,
// not the sum.
type rowCounts struct {
	store *store.Store
	log   zerolog.Logger
	jobs  *prometheus.Desc
	runs  *prometheus.Desc
}

func newRowCounts(s *store.Store, log zerolog.Logger) *rowCounts {
	return &rowCounts{
		store: s, log: log,
		jobs: prometheus.NewDesc("enlace_jobs", "Jobs that have yet to end, by queue and state.", []string{"queue", "state"}, nil),
		runs: prometheus.NewDesc("enlace_runs", "Runs that are active or ended within a day, by kind and status.", []string{"sync_type", "status"}, nil),
	}
}

// Describe is that of [prometheus.Collector].
func (r *rowCounts) Describe(ch chan<- *prometheus.Desc) {
	ch <- r.jobs
	ch <- r.runs
}

// Collect is that of [prometheus.Collector].
func (r *rowCounts) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	for desc, count := range map[*prometheus.Desc]func(context.Context) ([]store.Count, error){r.jobs: r.store.QueueDepths, r.runs: r.store.RunCounts} {
		list, err := count(ctx)
		if err != nil { // the other metrics are the more needed
			r.log.Warn().Err(err).Msg("rows could not be counted for the metrics")
			continue
		}
		for _, c := range list {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(c.N), c.First, c.Second)
		}
	}
}
