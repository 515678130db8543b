import type { Balance } from '../../config.ts';
import type { RelayConfig } from '../relay/context.ts';

/** What a relay needs of it, picked by name: what goes to another process must not hold ADMIN_TOKEN. */
export function relayConfig(config: RelayConfig): RelayConfig {
  return {
    accessLog: config.accessLog,
    runtime: config.runtime,
    hashKey: config.hashKey,
    retries: config.retries,
    trustedProxies: config.trustedProxies,
    headBytesMax: config.headBytesMax,
    headFieldsMax: config.headFieldsMax,
    targetBytesMax: config.targetBytesMax,
    headTimeoutMs: config.headTimeoutMs,
    idleTimeoutMs: config.idleTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    replyHeaderTimeoutMs: config.replyHeaderTimeoutMs,
    bodyStallTimeoutMs: config.bodyStallTimeoutMs,
    tunnelIdleTimeoutMs: config.tunnelIdleTimeoutMs,
    connectionsMax: config.connectionsMax,
    replicaInFlightMax: config.replicaInFlightMax,
  };
}

/** As `relayConfig`, of what decides where a request goes. */
export function balanceOf(config: Balance): Balance {
  const { hash, shadowHash, loadFactor, hotKeySpread, hotKeyShare } = config;
  return { hash, shadowHash, loadFactor, hotKeySpread, hotKeyShare };
}
