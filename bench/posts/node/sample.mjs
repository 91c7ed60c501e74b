// The message handler of AWS's sample chat: Promise.all of a PostToConnection for each connection, with the
// client as it is by default. Arguments and output are those of bench/posts/contenders/common.py; the client
// keeps to its own number of sockets.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";

const [endpoint, count, , message] = process.argv.slice(2);
const posts = Number(count);

const connectionIds = (number, kind = "") =>
  Array.from({ length: number }, (_, each) =>
    createHash("sha256").update(`${kind}${each}`).digest().subarray(0, 11).toString("base64")
      .replaceAll("+", "-").replaceAll("/", "_"),
  );

const send = async (callbackAPI, ids) => {
  let delivered = 0;
  const sendMessages = ids.map(async (connectionId) => {
    try {
      await callbackAPI.send(
        new PostToConnectionCommand({ ConnectionId: connectionId, Data: message }),
      );
      delivered += 1;
    } catch (e) {
      console.error(e);
    }
  });
  await Promise.all(sendMessages);
  return delivered;
};

const peakKb = () => {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  } catch {
    return process.resourceUsage().maxRSS;
  }
};

await send(new ApiGatewayManagementApiClient({ endpoint }), connectionIds(Math.min(200, posts), "warm-up "));
const callbackAPI = new ApiGatewayManagementApiClient({ endpoint });
const ids = connectionIds(posts);
const began = process.hrtime.bigint();
const busy = process.cpuUsage();
const delivered = await send(callbackAPI, ids);
const used = process.cpuUsage(busy);
console.log(
  JSON.stringify({
    posts,
    seconds: Number(process.hrtime.bigint() - began) / 1e9,
    cpu_seconds: (used.user + used.system) / 1e6,
    peak_kb: peakKb(),
    delivered,
  }),
);
process.exit(0);
