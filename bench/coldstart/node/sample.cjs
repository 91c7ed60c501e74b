// The handlers of AWS's sample chat (onconnect and sendmessage), with both clients of the AWS SDK v3. As
// bench/coldstart/handlers.py: prints what the init phase took, and with an event what its handling took.
const { DynamoDBClient, PutItemCommand, ScanCommand } = require("@aws-sdk/client-dynamodb");
const {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} = require("@aws-sdk/client-apigatewaymanagementapi");

const { NWCHAT_CONNECTIONS_TABLE: TableName, NWCHAT_ENDPOINT: endpoint } = process.env;
const ddb = new DynamoDBClient({});
const api = new ApiGatewayManagementApiClient({ endpoint });

const onconnect = async (event) => {
  const Item = { connection_id: { S: event.requestContext.connectionId } };
  await ddb.send(new PutItemCommand({ TableName, Item }));
  return { statusCode: 200 };
};

const sendmessage = async (event) => {
  const scan = new ScanCommand({ TableName, ProjectionExpression: "connection_id" });
  const { Items } = await ddb.send(scan);
  const Data = JSON.parse(event.body).message;
  const posts = Items.map(async ({ connection_id }) => {
    await api.send(new PostToConnectionCommand({ ConnectionId: connection_id.S, Data }));
  });
  await Promise.all(posts);
  return { statusCode: 200 };
};

// Milliseconds of the process until now: processor, and time since its start.
const used = () => {
  const cpu = process.cpuUsage();
  return { cpu_ms: (cpu.user + cpu.system) / 1000, wall_ms: Date.now() - Number(process.argv[3]) * 1000 };
};

const main = async () => {
  const init = used();
  const event = JSON.parse(process.argv[4]);
  const status = event && (await { onconnect, sendmessage }[process.argv[2]](event)).statusCode;
  console.log(JSON.stringify({ init, event: used(), status }));
  process.exit(0);
};

main();
