// What the official JavaScript clients do, case by case; prints one JSON object: case to result.
// Usage: node cases.mjs BASE_URL KEY
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

const [base, apiKey] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: base, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tool = (name) => ({ type: "function", function: { name, parameters } });

async function all(stream) {
  const events = [];
  for await (const event of await stream) events.push(event);
  return events;
}

async function failed(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, body: error.error };
  }
}

const cases = {
  chat: () => openai.chat.completions.create({ model: "mock-1", messages }),
  chat_stream: () => all(openai.chat.completions.create({ model: "mock-reasoner", messages, stream: true })),
  chat_tools: () => openai.chat.completions.stream({ model: "mock-1", messages, tools: [tool("weather"), tool("tides")] }).finalMessage(),
  structured: () => openai.chat.completions.create({ model: "mock-1", messages, response_format: { type: "json_schema", json_schema: { name: "x", schema: parameters } } }),
  responses_stream: () => all(openai.responses.create({ model: "mock-reasoner", input: "hello", stream: true })),
  embeddings: () => openai.embeddings.create({ model: "mock-1", input: ["a", "b"] }),
  models: () => all(openai.models.list()),
  fails: () => failed(() => openai.chat.completions.create({ model: "mock-error", messages })),
  busy: () => failed(() => openai.chat.completions.create({ model: "mock-busy", messages })),
  timed_out: () => failed(() => openai.chat.completions.create({ model: "mock-never", messages }, { timeout: 500 })),
  cancelled: async () => {
    const stream = await openai.chat.completions.create({ model: "mock-slow", messages, stream: true });
    const first = [];
    for await (const chunk of stream) {
      first.push(chunk);
      if (first.length === 2) break;
    }
    return [first, await cases.chat()];
  },
  message: () => anthropic.messages.create({ model: "mock-1", max_tokens: 99, messages }),
  message_stream: () => anthropic.messages.stream({ model: "mock-reasoner", max_tokens: 99, messages }).finalMessage(),
  message_tools: () => anthropic.messages.stream({ model: "mock-1", max_tokens: 99, messages, tools: [{ name: "weather", input_schema: parameters }] }).finalMessage(),
  message_fails: () => failed(() => anthropic.messages.create({ model: "mock-error", max_tokens: 9, messages })),
  count: () => anthropic.messages.countTokens({ model: "mock-1", messages }),
};

const results = {};
for (const [name, run] of Object.entries(cases)) results[`javascript ${name}`] = await run();
console.log(JSON.stringify(results));
