import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { type Config, configuredServer } from './config';
import { type Manifest, SegmentationPluginService } from './gen/segplugin/v1/segmentation_plugin_pb';

export type Plugin = Client<typeof SegmentationPluginService>;

const MANIFEST_TIMEOUT_MS = 10_000;

/** A client of the server at `address`. */
export function connect(config: Config, address: string): Plugin {
  const authorize: Interceptor = (next) => (request) => {
    // A token of the configuration is for the configured server, not for what somebody typed.
    if (config.token && address === configuredServer(config)) {
      request.header.set('authorization', `Bearer ${config.token}`);
    }
    return next(request);
  };
  const transport = createGrpcWebTransport({
    baseUrl: address,
    useBinaryFormat: true,
    interceptors: [authorize],
  });
  return createClient(SegmentationPluginService, transport);
}

/** What the server says of itself. Throws ConnectError. */
export async function manifestOf(plugin: Plugin, signal: AbortSignal): Promise<Manifest> {
  const { manifest } = await plugin.getManifest({}, { signal, timeoutMs: MANIFEST_TIMEOUT_MS });
  if (!manifest) throw new Error('the server sent no manifest');
  return manifest;
}
