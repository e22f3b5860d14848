-- +goose Up

-- enqueue_sync creates a sync run and its job inside the caller's own transaction and returns the run: from a trigger,
-- from pg_cron, from another service on this database. It joins the run of the asked kind that is active or waiting,
-- and waits behind one of the other kind. River's tables are named late, so they need not exist yet.
--
-- It runs as its owner, past row-level security, and therefore asks for the tenant itself: trusted are callers that are
-- neither anon nor authenticated and bear no claims, or the service role's.
-- +goose StatementBegin
CREATE FUNCTION enlace.enqueue_sync(p_integration_id uuid, p_sync_type text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
    AS $$
DECLARE
    v_claims  jsonb := enlace.jwt();
    v_trusted boolean := current_setting('role') NOT IN ('anon', 'authenticated')
        AND (v_claims = '{}'::jsonb OR v_claims ->> 'role' = 'service_role');
    v_tenant  uuid;
    v_status  text;
    v_active  public.integration_sync_logs%ROWTYPE;
    v_next    public.integration_sync_logs%ROWTYPE;
    v_run     uuid;
    v_job     bigint;
BEGIN
    IF p_sync_type IS NULL OR p_sync_type NOT IN ('full', 'incremental') THEN
        RAISE EXCEPTION 'sync_type must be one of: full, incremental' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT tenant_id, status INTO v_tenant, v_status FROM public.integrations WHERE id = p_integration_id FOR NO KEY UPDATE;
    IF v_tenant IS NULL OR (NOT v_trusted AND v_tenant IS DISTINCT FROM enlace.jwt_tenant()) THEN
        RAISE EXCEPTION 'integration not found' USING ERRCODE = 'no_data_found';
    END IF;
    IF v_status <> 'connected' THEN
        RAISE EXCEPTION 'integration is %', v_status USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Connect or resume it first.';
    END IF;

    SELECT * INTO v_active FROM public.integration_sync_logs
    WHERE integration_id = p_integration_id AND status IN ('pending', 'in_progress') AND after_run_id IS NULL;
    -- an active incremental whose window is fixed may not see what the caller has just changed
    IF v_active.id IS NOT NULL AND v_active.job_id IS NULL THEN -- of the earlier system: nobody here works on it
        UPDATE public.integration_sync_logs SET status = 'failed', error_code = 'interrupted', completed_at = clock_timestamp()
        WHERE id = v_active.id;
        v_active := NULL;
    END IF;
    IF v_active.id IS NOT NULL AND v_active.sync_type = p_sync_type AND (p_sync_type = 'full' OR v_active.window_end IS NULL) THEN
        IF v_active.requested_by = 'schedule' THEN -- it is the caller's now, and waits for nothing that only scheduled work waits for
            UPDATE public.integration_sync_logs SET requested_by = 'sql',
                waiting_until = CASE WHEN waiting_reason = 'reserve' THEN NULL ELSE waiting_until END WHERE id = v_active.id;
        END IF;
        RETURN v_active.id;
    END IF;
    SELECT * INTO v_next FROM public.integration_sync_logs
    WHERE integration_id = p_integration_id AND status = 'pending' AND after_run_id IS NOT NULL;
    IF v_next.sync_type = p_sync_type THEN
        RETURN v_next.id;
    ELSIF v_next.id IS NOT NULL AND v_active.sync_type = p_sync_type THEN
        RETURN v_active.id; -- the edit may be behind it, but not behind the sweep that follows
    ELSIF v_next.id IS NOT NULL THEN -- an incremental waits behind another one: the sweep that is asked for reads all that it would
        UPDATE public.integration_sync_logs SET sync_type = 'full', updated_at = clock_timestamp() WHERE id = v_next.id;
        RETURN v_next.id;
    END IF;

    INSERT INTO public.integration_sync_logs (integration_id, tenant_id, sync_type, after_run_id, requested_by, waiting_reason)
    VALUES (p_integration_id, v_tenant, p_sync_type, v_active.id, 'sql', CASE WHEN v_active.id IS NULL THEN 'queued' ELSE 'after_run' END)
    RETURNING id INTO v_run;
    IF v_active.id IS NOT NULL THEN
        RETURN v_run; -- whoever ends the active run inserts its job
    END IF;

    INSERT INTO river.river_job (kind, args, queue, max_attempts)
    VALUES ('contacts_sync', jsonb_build_object('run_id', v_run), 'sync', 25) RETURNING id INTO v_job;
    UPDATE public.integration_sync_logs SET job_id = v_job WHERE id = v_run;
    PERFORM pg_notify('river.river_insert', '{"queue": "sync"}');
    RETURN v_run;
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION enlace.enqueue_sync(uuid, text) FROM public;
GRANT EXECUTE ON FUNCTION enlace.enqueue_sync(uuid, text) TO authenticated, service_role;
