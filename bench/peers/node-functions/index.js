// A greeting and a Pub/Sub handler on Google's Functions Framework for Node.js; FUNCTION_TARGET chooses.
const functions = require('@google-cloud/functions-framework');

functions.http('greet', (request, response) => {
  response.type('text/plain').send(`hello from ${request.path}\n`);
});

functions.cloudEvent('receive', (event) => {
  const order = JSON.parse(Buffer.from(event.data.message.data, 'base64'));
  if (order.quantity === 0 || order.item === '') {
    throw new Error(`order ${order.id} is of nothing`);
  }
});
