// What a dashboard does with Supabase's own client: start a sync, and read why one was refused.
import { createClient } from '@supabase/supabase-js';
import ws from 'ws';

const { URL: url, SESSION: session, INTEGRATION: mine, FOREIGN: foreign } = process.env;
const client = token => createClient(url, 'sb_publishable_test', {
  realtime: { transport: ws },
  auth: { persistSession: false, autoRefreshToken: false },
  global: token ? { headers: { Authorization: `Bearer ${token}` } } : {},
});
const invoke = async (supabase, body) => {
  const { data, error } = await supabase.functions.invoke('sync-crm', { body });
  if (!error) return { data };
  return { name: error.name, status: error.context.status, reason: await error.context.json() };
};
const supabase = client(session);
console.log(JSON.stringify({
  started: await invoke(supabase, { integration_id: mine, sync_type: 'full' }),
  text: await invoke(supabase, JSON.stringify({ integration_id: mine, sync_type: 'full' })),
  foreign: await invoke(supabase, { integration_id: foreign, sync_type: 'full' }),
  wrong: await invoke(supabase, { integration_id: mine, sync_type: 'everything' }),
  anonymous: await invoke(client(), { integration_id: mine, sync_type: 'full' }),
}));
