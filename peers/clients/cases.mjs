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

// Ids are new each time.
const unnamed = (value) => JSON.parse(JSON.stringify(value).replace(/mock[0-9]+/g, "mock"));

const cases = {
  files_and_batches: async () => {
    const body = { model: "mock-1", messages };
    const line = JSON.stringify({ custom_id: "a", method: "POST", url: "/v1/chat/completions", body });
    const file = await openai.files.create({ file: new File([line], "requests.jsonl"), purpose: "batch" });
    const batch = await openai.batches.create({ input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" });
    const shown = await openai.batches.retrieve(batch.id);
    const results = await (await openai.files.content(shown.output_file_id)).text();
    return unnamed([file, batch, shown, results, await openai.files.delete(file.id)]);
  },
  message_batches: async () => {
    const params = { model: "mock-1", max_tokens: 99, messages };
    const batch = await anthropic.messages.batches.create({ requests: [{ custom_id: "a", params }] });
    const shown = await anthropic.messages.batches.retrieve(batch.id);
    return unnamed([batch, shown, await all(anthropic.messages.batches.results(batch.id))]);
  },
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
