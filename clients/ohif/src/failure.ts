import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from './gen/google/rpc/error_info_pb';

/** Why something failed. */
export interface Failure {
  /** A sentence for people: the server's own, where it gave one. */
  message: string;
  /** The server's reason (UPPER_SNAKE_CASE), or the name of gRPC's code. */
  reason: string;
  /** Whether there was no server to talk to. */
  unreachable: boolean;
}

/** What a failed call says. */
export function failureOf(cause: unknown): Failure {
  const error = ConnectError.from(cause);
  const info = error.findDetails(ErrorInfoSchema)[0];
  if (info) return { message: error.rawMessage, reason: info.reason, unreachable: false };
  // No ErrorInfo: it was not our server that answered. A browser says no more of a failed fetch than that.
  const reason = Code[error.code] ?? 'Unknown';
  return { message: plain(error), reason, unreachable: true };
}

function plain(error: ConnectError): string {
  if (/failed to fetch|network ?error|load failed/i.test(error.rawMessage)) {
    return 'The connection failed, or the server does not allow this page (--cors-origin).';
  }
  if (/^HTTP \d+$/.test(error.rawMessage)) {
    return `What is in between answered ${error.rawMessage}: spinefx may not be running.`;
  }
  if (/content.type|trailer|protocol error/i.test(error.rawMessage)) {
    return `Something else answers there (${error.rawMessage}).`;
  }
  return error.rawMessage || 'The connection failed.';
}
