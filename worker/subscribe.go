package worker

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

const (
	subscribersAtOnce = 4
	channelsAtOnce    = 100

	// subscribeLimit bounds the work on one subscription, and subscribeLease is how long nobody else begins with it.
	subscribeLimit = 90 * time.Second
	subscribeLease = 2 * time.Minute

	longestUnsubscribed = time.Hour // between tries to make a subscription
)

// subscribeWorker makes subscriptions to providers' notifications, looks after them and renews them.
type subscribeWorker struct {
	river.WorkerDefaults[jobs.SubscribeArgs]
	engine *engine
}

// Timeout leaves room for a subscription that is begun last.
func (w *subscribeWorker) Timeout(*river.Job[jobs.SubscribeArgs]) time.Duration {
	return w.engine.Spans.Subscribe + subscribeLimit
}

// Work works on all subscriptions that are due, as long as one round may take.
func (w *subscribeWorker) Work(ctx context.Context, _ *river.Job[jobs.SubscribeArgs]) error {
	e := w.engine
	names := e.subscribable()
	if len(names) == 0 || e.PublicURL == "" {
		return nil
	}
	if err := e.openChannels(ctx, names); err != nil {
		return err
	}
	until := time.Now().Add(e.Spans.Subscribe)
	var group errgroup.Group
	for range subscribersAtOnce {
		group.Go(func() error { return e.subscribeAll(ctx, names, until) })
	}
	return group.Wait()
}

// subscribable names the providers that notify an account's own channel.
func (e *engine) subscribable() (names []string) {
	for _, p := range e.Providers {
		if p.Changes != nil && p.Changes.Subscribe != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// openChannels gives each account that has none a channel.
func (e *engine) openChannels(ctx context.Context, names []string) error {
	for {
		list, err := e.Store.Unsubscribed(ctx, names, channelsAtOnce)
		if err != nil {
			return err
		}
		for _, integration := range list {
			if err := e.Vault.OpenChannel(ctx, integration); err != nil {
				return err
			}
		}
		if len(list) < channelsAtOnce {
			return nil
		}
	}
}

// webhooksPath is where the API takes notifications; a channel's address is <base>/webhooks/<provider>/<channel>.
const webhooksPath = "/webhooks/"

func (e *engine) subscribeAll(ctx context.Context, names []string, until time.Time) error {
	for time.Now().Before(until) && !e.isStopping() {
		sub, err := e.Store.ClaimSubscription(ctx, names, subscribeLease, e.PublicURL+webhooksPath)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := e.subscribe(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// subscriber works on one subscription.
type subscriber struct {
	engine   *engine
	log      zerolog.Logger
	sub      store.Subscription
	provider *providers.Provider
	account  providers.Account
	client   *vault.Client
	quota    *quota
	url      string
}

// subscribe makes a subscription, or sees that it is there, and notes what came of it.
func (e *engine) subscribe(ctx context.Context, sub store.Subscription) error {
	ctx, cancel := context.WithTimeout(ctx, subscribeLimit)
	defer cancel()
	s := &subscriber{
		engine: e, sub: sub, provider: e.byName[sub.Provider], url: e.PublicURL + webhooksPath + sub.Provider + "/" + sub.Channel.String(),
		log: e.Log.With().Stringer("integration_id", sub.IntegrationID).Stringer("tenant_id", sub.TenantID).Str("provider", sub.Provider).Logger(),
	}
	granted, err := s.ask(ctx)
	if ctx.Err() != nil && e.isStopping() {
		return ctx.Err() // the next process finds it when the lease is over
	}
	after := context.WithoutCancel(ctx)
	if err == nil {
		err = s.grant(after, granted)
	} else {
		err = s.fail(after, err)
	}
	if errors.Is(err, store.ErrLost) || errors.Is(err, store.ErrNotFound) {
		s.log.Info().Msg("the account was disconnected while its subscription was made")
		return nil
	}
	return err
}

// ask asks the provider, again if another token may help.
func (s *subscriber) ask(ctx context.Context) (providers.Subscription, error) {
	for again := false; ; again = true {
		if err := s.open(ctx); err != nil {
			return providers.Subscription{}, err
		}
		granted, err := s.askOnce(providers.WithPayer(ctx, s.quota))
		e, ok := errors.AsType[*providers.Error](err)
		if !ok || !e.RefreshFirst || again {
			return granted, err
		}
		if _, err := s.engine.Vault.Token(ctx, s.sub.IntegrationID, s.client.Generation()); err != nil {
			return granted, err
		}
	}
}

// open reads the account as it is stored. One that the provider has blocked for now is left alone.
func (s *subscriber) open(ctx context.Context) error {
	in, err := s.engine.Store.AnyIntegration(ctx, s.sub.IntegrationID)
	if err != nil {
		return err
	}
	s.account = in.Account()
	budget, err := s.engine.Store.Budget(ctx, store.BudgetOf(s.provider, s.account.ExternalID))
	if err != nil {
		return err
	}
	if budget.BlockedFor > 0 {
		return &waitError{store.Wait{For: budget.BlockedFor, Reason: budget.Reason}}
	}
	reach, err := s.engine.Store.Reach(ctx, store.AccountKey{Provider: s.sub.Provider, Account: s.account.ExternalID})
	if err != nil {
		return err
	}
	if reach.Down {
		return &waitError{waitsForProbe()}
	}
	clock := store.NewDatabaseClock(s.sub.Now)
	s.quota = newQuota(s.engine.Store, store.BudgetOf(s.provider, s.account.ExternalID), s.provider.Limits, budget, clock.Now)
	s.quota.interactive = true
	s.client = s.engine.Vault.Client(in.ID, s.account)
	return nil
}

func (s *subscriber) askOnce(ctx context.Context) (providers.Subscription, error) {
	plain, err := s.engine.Vault.Plain(s.sub)
	_, closed := errors.AsType[*vault.OpenError](err)
	if err != nil && !closed {
		return plain, err
	}
	if plain.ID != "" && (closed || plain.URL != s.url) { // another secret, or address, makes another subscription
		if err := s.provider.Changes.Unsubscribe(ctx, s.account, s.client.Client, plain); err != nil {
			return plain, err
		}
		plain.ID, plain.ExpiresAt = "", time.Time{}
	}
	if closed { // its key is gone: nothing but the secret is lost with it
		s.log.Warn().Err(err).Msg("the secret of a channel is made anew")
		if s.sub, err = s.engine.Vault.RenewChannelSecret(ctx, s.sub); err == nil {
			plain, err = s.engine.Vault.Plain(s.sub)
		}
		if err != nil {
			return plain, err
		}
	}
	plain.URL = s.url
	return s.provider.Changes.Subscribe(ctx, s.account, s.client.Client, plain)
}

// grant notes that the subscription is there. After a gap, a run reads what was missed.
func (s *subscriber) grant(ctx context.Context, granted providers.Subscription) error {
	sub, st := s.sub, s.engine.Store
	g := store.Granted{URL: s.url, ExternalID: granted.ID, NextIn: s.engine.Spans.Check + spread(s.engine.Spans.Check/10)}
	if !granted.ExpiresAt.IsZero() { // what was granted counts, not what was asked for
		life := max(time.Until(granted.ExpiresAt), 0)
		g.Life, g.NextIn = &life, max(min(g.NextIn, life/2), time.Second)
	}
	gap := sub.LostAt != nil || expired(sub) || sub.CheckedAt != nil && sub.ExternalID != granted.ID
	err := st.Tx(ctx, func(tx pgx.Tx) error {
		in, err := st.LockIntegration(ctx, tx, nil, sub.IntegrationID)
		if err != nil {
			return err
		}
		if err := st.StoreSubscription(ctx, tx, sub, g); err != nil {
			return err
		}
		if err := st.CloseIncidents(ctx, tx, in.ID, string(words.WebhookLost)); err != nil || !gap || in.Status != store.Connected {
			return err
		}
		return s.coverGap(ctx, tx, in)
	})
	if errors.Is(err, store.ErrLost) || errors.Is(err, store.ErrNotFound) {
		return errors.Join(err, s.provider.Changes.Unsubscribe(ctx, s.account, s.client.Client, granted))
	}
	if err == nil {
		s.log.Info().Bool("gap", gap).Time("expires_at", granted.ExpiresAt).Msg("subscribed to notifications")
	}
	return err
}

// coverGap starts a run, which reads the provider's list of deletions too; without one, the next scheduled run is a sweep.
func (s *subscriber) coverGap(ctx context.Context, tx pgx.Tx, in store.Locked) error {
	run := store.NewRun{SyncType: store.Incremental, RequestedBy: jobs.CoversGap}
	if _, err := s.engine.jobs.CreateRun(ctx, tx, in, run); err != nil {
		return err
	}
	if _, lists := s.provider.Contacts(s.account, s.client.Client).(providers.DeletedLister); lists {
		return nil
	}
	return s.engine.Store.SweepAgain(ctx, tx, in.ID)
}

func expired(sub store.Subscription) bool {
	return sub.ExpiresAt != nil && sub.ExpiresAt.Before(sub.Now)
}

// fail notes that the subscription could not be made or looked after. An incident opens where notifications came before
// and don't any more.
func (s *subscriber) fail(ctx context.Context, cause error) error {
	sub, st := s.sub, s.engine.Store
	refused := errors.Is(cause, providers.ErrNoNotifications)
	f := store.SubscriptionFailure{Refused: refused, Lost: expired(sub) || refused && sub.CheckedAt != nil, NextIn: s.again(cause)}
	s.log.Warn().Err(cause).Bool("lost", f.Lost).Dur("again_ms", f.NextIn).Msg("could not subscribe to notifications")
	e, ok := errors.AsType[*providers.Error](cause)
	if ok && e.Kind == providers.NeedsReauth && s.client != nil {
		if _, err := s.engine.refuseTokens(ctx, sub.IntegrationID, s.client, e); err != nil {
			return err
		}
	}
	return st.Tx(ctx, func(tx pgx.Tx) error {
		in, err := st.LockIntegration(ctx, tx, nil, sub.IntegrationID)
		if err != nil {
			return err
		}
		if err := st.FailSubscription(ctx, tx, sub, f); err != nil || !f.Lost {
			return err
		}
		_, err = st.OpenIncident(ctx, tx, in, store.Trouble{Code: string(words.WebhookLost), Variant: words.VariantIncoming})
		return err
	})
}

// again is when the next try is made.
func (s *subscriber) again(cause error) time.Duration {
	if errors.Is(cause, providers.ErrNoNotifications) {
		return s.engine.Spans.Check + spread(s.engine.Spans.Check/10)
	}
	d := s.engine.Spans.Backoff
	for range s.sub.Failures {
		d = min(3*d, longestUnsubscribed)
	}
	d += spread(d / 10)
	if wait, ok := errors.AsType[*waitError](cause); ok {
		return max(d, wait.For)
	}
	if e, ok := errors.AsType[*providers.Error](cause); ok {
		return max(d, time.Until(e.RetryAt))
	}
	return d
}
