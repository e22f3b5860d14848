-- +goose Up

-- A key is shown once; its SHA-256 is kept. Admin keys may reach every tenant.
CREATE TABLE public.api_keys (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id    uuid NOT NULL,
    name         text NOT NULL,
    prefix       text NOT NULL,
    key_hash     bytea NOT NULL UNIQUE,
    admin        boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_keys_tenant ON public.api_keys (tenant_id, created_at DESC);

-- Browser sessions of the served dashboard.
CREATE TABLE public.sessions (
    id_hash    bytea PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    admin      boolean NOT NULL DEFAULT false,
    actor      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_expired ON public.sessions (expires_at);

-- A connect session is a one-time link with which a browser starts the consent of a provider.
CREATE TABLE public.connect_sessions (
    token_hash     bytea PRIMARY KEY,
    tenant_id      uuid NOT NULL,
    provider       text NOT NULL,
    integration_id uuid,
    actor          text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);
CREATE INDEX connect_sessions_expired ON public.connect_sessions (expires_at);

-- States of consents under way: single use, at most ten minutes, bound to tenant, provider and browser.
CREATE TABLE public.oauth_states (
    state_hash     bytea PRIMARY KEY,
    tenant_id      uuid NOT NULL,
    provider       text NOT NULL,
    browser_hash   bytea NOT NULL,
    integration_id uuid,
    actor          text NOT NULL,
    pkce_verifier  text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz,
    result         text
);
CREATE INDEX oauth_states_expired ON public.oauth_states (expires_at);

CREATE TABLE public.idempotency_keys (
    tenant_id    uuid NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       integer,
    body         bytea,
    content_type text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    locked_until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_age ON public.idempotency_keys (created_at);

CREATE TABLE public.audit_log (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id  uuid,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    details    jsonb NOT NULL DEFAULT '{}'::jsonb
);
CREATE INDEX audit_log_tenant ON public.audit_log (tenant_id, at DESC, id DESC);

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.connect_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.oauth_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_log ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.api_keys, public.sessions, public.connect_sessions, public.oauth_states, public.idempotency_keys, public.audit_log
    FROM anon, authenticated;
GRANT ALL ON public.api_keys, public.sessions, public.connect_sessions, public.oauth_states, public.idempotency_keys, public.audit_log
    TO service_role;
