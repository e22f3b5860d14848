-- +goose Up

CREATE TABLE public.contacts (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id         uuid NOT NULL,
    integration_id    uuid NOT NULL REFERENCES public.integrations (id) ON DELETE CASCADE,
    external_id       text NOT NULL,
    name              text NOT NULL DEFAULT '',
    first_name        text NOT NULL DEFAULT '',
    last_name         text NOT NULL DEFAULT '',
    email             text,
    phone             text,
    emails            jsonb NOT NULL DEFAULT '[]'::jsonb,
    phones            jsonb NOT NULL DEFAULT '[]'::jsonb,
    email_addresses   text[] NOT NULL DEFAULT '{}',
    phone_numbers     text[] NOT NULL DEFAULT '{}',
    organization_id   text,
    owner_id          text,
    job_title         text,
    custom_fields     jsonb NOT NULL DEFAULT '{}'::jsonb,
    content_hash      bytea NOT NULL,
    remote_created_at timestamptz,
    remote_updated_at timestamptz,
    observed_at       timestamptz NOT NULL,
    last_run_id       uuid,
    merged_into       text,
    deleted_at        timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (integration_id, external_id)
);
COMMENT ON COLUMN public.contacts.email IS 'The main address, trimmed and in lower case; emails holds the list as the provider has it.';
COMMENT ON COLUMN public.contacts.phone IS 'The main number in E.164, null if none of the numbers can be read; phones holds the list as the provider has it.';
COMMENT ON COLUMN public.contacts.observed_at IS 'When the answer of the stored read was complete, on the database''s clock.';
COMMENT ON COLUMN public.contacts.deleted_at IS 'Set: a tombstone. The content stays; it comes back if the record does.';
COMMENT ON COLUMN public.contacts.updated_at IS 'When this row was last written.';

CREATE INDEX contacts_tenant ON public.contacts (tenant_id, id);

-- What a sweep has seen, page by page, until it ends: absence is judged against it.
CREATE TABLE public.sync_run_pages (
    run_id       uuid NOT NULL REFERENCES public.integration_sync_logs (id) ON DELETE CASCADE,
    page         integer NOT NULL,
    external_ids text[] NOT NULL,
    PRIMARY KEY (run_id, page)
);

-- Records that a run must read one by one before it ends, and what the reads found; held deletions stay here until a
-- person decides. unchanged: a page of the present walk has counted the record as unchanged.
CREATE TABLE public.confirming_reads (
    run_id      uuid NOT NULL REFERENCES public.integration_sync_logs (id) ON DELETE CASCADE,
    external_id text NOT NULL,
    cause       text NOT NULL CHECK (cause IN ('asked', 'absent')),
    unchanged   boolean NOT NULL DEFAULT false,
    result      text CHECK (result IN ('absent', 'held')),
    begun_at    timestamptz,
    done_at     timestamptz,
    PRIMARY KEY (run_id, external_id)
);

-- Quarantine: one bad record, one row.
CREATE TABLE public.sync_failures (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id      uuid NOT NULL,
    integration_id uuid NOT NULL REFERENCES public.integrations (id) ON DELETE CASCADE,
    external_id    text NOT NULL,
    reason         text NOT NULL,
    field          text,
    detail         text,
    payload        text,
    times          integer NOT NULL DEFAULT 1,
    first_run_id   uuid,
    last_run_id    uuid,
    first_seen_at  timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    resolved_at    timestamptz
);
CREATE UNIQUE INDEX sync_failures_open ON public.sync_failures (integration_id, external_id) WHERE resolved_at IS NULL;
CREATE INDEX sync_failures_run ON public.sync_failures (last_run_id);
CREATE INDEX sync_failures_tenant ON public.sync_failures (tenant_id, last_seen_at DESC, id);

ALTER TABLE public.contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sync_run_pages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.confirming_reads ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sync_failures ENABLE ROW LEVEL SECURITY;
CREATE POLICY enlace_tenant_reads ON public.contacts FOR SELECT TO authenticated
    USING (tenant_id = (SELECT enlace.jwt_tenant()));
REVOKE ALL ON public.contacts, public.sync_run_pages, public.confirming_reads, public.sync_failures FROM anon, authenticated;
GRANT SELECT ON public.contacts TO authenticated;
GRANT ALL ON public.contacts, public.sync_run_pages, public.confirming_reads, public.sync_failures TO service_role;
