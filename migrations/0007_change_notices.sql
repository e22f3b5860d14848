-- +goose Up

-- The inbox: what providers have told, acknowledged only once it is here. changes is what was read of the body when its
-- sender was verified: a signature with a time in it can't be verified again later, and a secret isn't kept in headers.
CREATE TABLE public.webhook_deliveries (
    id           uuid PRIMARY KEY,
    provider     text NOT NULL,
    channel      uuid,
    dedupe_key   bytea NOT NULL,
    body         bytea NOT NULL,
    changes      jsonb NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    processed_at timestamptz,
    error        text
);
COMMENT ON COLUMN public.webhook_deliveries.channel IS 'Of a subscription; null where one address serves all accounts of our app.';
COMMENT ON COLUMN public.webhook_deliveries.error IS 'Why its body could not be understood, without any of it.';
CREATE UNIQUE INDEX webhook_deliveries_once ON public.webhook_deliveries
    (provider, (coalesce(channel, '00000000-0000-0000-0000-000000000000'::uuid)), dedupe_key);
CREATE INDEX webhook_deliveries_waiting ON public.webhook_deliveries (received_at, id) WHERE processed_at IS NULL;

-- A provider's promise to notify us of one account's changes. A channel outlives its subscriptions: it is the
-- integration's for as long as it is connected.
CREATE TABLE public.webhook_subscriptions (
    integration_id uuid PRIMARY KEY REFERENCES public.integrations (id) ON DELETE CASCADE,
    provider       text NOT NULL,
    channel        uuid NOT NULL UNIQUE,
    secret         text NOT NULL,
    url            text,
    external_id    text,
    status         text NOT NULL DEFAULT 'wanted' CHECK (status IN ('wanted', 'live', 'refused')),
    expires_at     timestamptz,
    checked_at     timestamptz,
    lost_at        timestamptz,
    due_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    failures       integer NOT NULL DEFAULT 0,
    fence          bigint NOT NULL DEFAULT 0,
    lease_until    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN public.webhook_subscriptions.secret IS 'By which a notification proves itself; sealed.';
COMMENT ON COLUMN public.webhook_subscriptions.external_id IS 'The provider''s name of the subscription; null while there is none.';
COMMENT ON COLUMN public.webhook_subscriptions.checked_at IS 'When the provider last confirmed it.';
COMMENT ON COLUMN public.webhook_subscriptions.lost_at IS 'Since when notifications may have been missed; null: nothing was.';
COMMENT ON COLUMN public.webhook_subscriptions.due_at IS 'When it is to be made, looked after or renewed.';
CREATE INDEX webhook_subscriptions_due ON public.webhook_subscriptions (due_at);

-- Records to be read by their ids because a provider says that they have changed. The row is the truth: it goes when a
-- read that began after the notice has been stored.
CREATE TABLE public.pending_changes (
    integration_id uuid NOT NULL REFERENCES public.integrations (id) ON DELETE CASCADE,
    external_id    text NOT NULL,
    deleted        boolean NOT NULL,
    first_noted_at timestamptz NOT NULL,
    last_noted_at  timestamptz NOT NULL,
    due_at         timestamptz NOT NULL,
    PRIMARY KEY (integration_id, external_id)
);
COMMENT ON COLUMN public.pending_changes.deleted IS 'A notice spoke of a deletion, which no list of changes shows.';
CREATE INDEX pending_changes_due ON public.pending_changes (integration_id, due_at);

-- Who works on the pending changes of an integration; there is a row as long as there are any.
CREATE TABLE public.change_queues (
    integration_id  uuid PRIMARY KEY REFERENCES public.integrations (id) ON DELETE CASCADE,
    job_id          bigint,
    fence           bigint NOT NULL DEFAULT 0,
    lease_until     timestamptz,
    failures_in_row integer NOT NULL DEFAULT 0,
    waiting_until   timestamptz,
    waiting_reason  text
);

ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.pending_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.change_queues ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.webhook_deliveries, public.webhook_subscriptions, public.pending_changes, public.change_queues FROM anon, authenticated;
GRANT ALL ON public.webhook_deliveries, public.webhook_subscriptions, public.pending_changes, public.change_queues TO service_role;
