// Stands in for spinefx where a test wants a state that the real server seldom has, or has for too short a time.
import http from 'node:http';
import { Code, ConnectError, cors } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { ErrorInfoSchema } from './gen/google/rpc/error_info_pb.js';
import { SegmentationPluginService, Stage } from './gen/segplugin/v1/segmentation_plugin_pb.js';

const MANIFEST = {
  id: 'stand-in',
  name: 'Stand-in for spinefx',
  version: '0.0.0',
  protocol: 'segplugin.v1',
  vendor: 'the tests',
  intendedUse: 'Research only. Not a medical device, not for diagnosis.',
  input: { modality: 'CT' },
  models: [
    { name: 'other', version: '1.0.0', description: 'Another model.' },
    { name: 'usual', version: '2.0.0', description: 'The usual model.', default: true },
  ],
};

/** An error as the real server sends it. */
export function refusal(code, reason, message) {
  const detail = { desc: ErrorInfoSchema, value: { reason, domain: 'spinefx', metadata: {} } };
  return new ConnectError(message, code, undefined, [detail]);
}

/**
 * Starts a stand-in. `script` is what SegmentSeries does: an async generator of events, given the request and
 * an AbortSignal; it can be set anew. `requests` has what came, with the Authorization header.
 */
export async function startStandIn({ port = 0, origins = [] } = {}) {
  const standIn = { requests: [], manifest: structuredClone(MANIFEST), script: nothing };
  const routes = (router) =>
    router.service(SegmentationPluginService, {
      getManifest: () => ({ manifest: standIn.manifest }),
      listModels: () => ({ models: standIn.manifest.models }),
      segmentVolume: () => {
        throw new ConnectError('not here', Code.Unimplemented);
      },
      segmentSeries: (request, context) => {
        standIn.requests.push({ request, authorization: context.requestHeader.get('authorization') });
        return standIn.script(request, context.signal);
      },
    });
  const answer = connectNodeAdapter({ routes });
  const server = http.createServer((request, response) => {
    if (!preflight(request, response, origins)) answer(request, response);
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  standIn.address = `127.0.0.1:${server.address().port}`;
  standIn.stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return standIn;
}

function preflight(request, response, origins) {
  const { origin } = request.headers;
  if (!origins.includes(origin)) return false;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Expose-Headers', cors.exposedHeaders.join(', '));
  if (request.method !== 'OPTIONS') return false;
  response.setHeader('Access-Control-Allow-Methods', cors.allowedMethods.join(', '));
  response.setHeader('Access-Control-Allow-Headers', [...cors.allowedHeaders, 'authorization'].join(', '));
  response.writeHead(204).end();
  return true;
}

/** Events, short to write. */
export const event = {
  accepted: (queuePlace = 0) => ({ event: { case: 'accepted', value: { requestId: 'r', queuePlace } } }),
  queued: (queuePlace) => ({ event: { case: 'progress', value: { stage: Stage.QUEUED, queuePlace } } }),
  progress: (stage, done, total) => ({
    event: {
      case: 'progress',
      value: { stage, done: BigInt(done), total: BigInt(total), fraction: done / total },
    },
  }),
  result: (result) => ({ event: { case: 'result', value: { model: 'usual', ...result } } }),
  stored: (value) => ({ event: { case: 'stored', value } }),
  completed: () => ({ event: { case: 'completed', value: { totalS: 1 } } }),
};

/** Waits, unless the call ends before. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function* nothing() {
  yield event.accepted();
  yield event.result({});
  yield event.completed();
}
