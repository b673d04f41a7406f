// People who sign in to the console at an OpenID provider, as their browser sees it: `node sign_in.mjs PROGRAM CHROMIUM FOLDER`.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Provider } from "oidc-provider";
import { chromium } from "playwright-core";

const [program, browserPath, folder] = process.argv.slice(2);

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

const [providerPort, consolePort] = [await freePort(), await freePort()];
const issuer = `http://127.0.0.1:${providerPort}`;
const site = `http://127.0.0.1:${consolePort}`;

// The provider: whoever signs in by some name there has that name's address and groups.

const groups = { ann: ["abuse", "all"], ben: ["all"], cat: ["bosses"] };
const provider = new Provider(issuer, {
  clients: [{ client_id: "console", client_secret: "a secret: with & signs", redirect_uris: [`${site}/sign-in/provider/done`] }],
  claims: { email: ["email", "email_verified", "groups"], profile: ["name"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@a.example`, email_verified: id !== "dan", groups: groups[id] ?? ["abuse"] }),
  }),
  pkce: { required: () => true },
});
// It says by warnings that it is not meant to be used so; they are right.
console.warn = () => {};
console.info = () => {};
const providing = provider.listen(providerPort, "127.0.0.1");

// The console.

const ready = join(folder, "ready.json");
writeFileSync(join(folder, "secret"), "a secret: with & signs\n");
const configuration = (passwords) => `
[sign_in]
url = "${site}"
passwords = ${passwords}
[sign_in.provider]
issuer = "${issuer}"
client_id = "console"
client_secret_file = "secret"
role_claim = "groups"
roles = { analyst = "abuse", admin = "bosses" }
`;
writeFileSync(join(folder, "gateway.toml"), configuration(true));
const data = join(folder, "data");
const up = spawn(program, [
  "up", "--config", join(folder, "gateway.toml"), "--data", data, "--listen", "127.0.0.1:0", "--admin", `127.0.0.1:${consolePort}`,
  "--ready-file", ready,
], { stdio: ["ignore", "ignore", "pipe"] });
let said = "";
up.stderr.on("data", (text) => { said += text; });
for (let tries = 0; !existsSync(ready); tries++) {
  assert.ok(tries < 300 && up.exitCode === null, `the gateway is not ready:\n${said}`);
  await pause(100);
}

const browser = await chromium.launch({ executablePath: browserPath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
let passed = 0;
const failed = [];
async function test(name, act) {
  const context = await browser.newContext({ baseURL: site });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  try {
    await act(page, context);
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed.push(name);
    console.log(`FAILED  ${name}\n        ${error.message}\n        ${page.url()}: ${(await page.innerText("body").catch(() => "")).slice(0, 400)}`);
  }
  await context.close();
}

/** Signs in at the provider, as `name`, from the page of the console that asks for it. */
async function atProvider(page, name) {
  await page.getByRole("link", { name: /^Sign in at/ }).click();
  assert.ok(page.url().startsWith(issuer), page.url());
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("anything");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${site}/**`);
}

await test("whoever is in a group is led on with its role, and is put down as the provider's", async (page, context) => {
  await page.goto("/cases");
  await atProvider(page, "ann");
  await page.waitForURL(`${site}/cases`);
  assert.match(await page.locator(".who").innerText(), /ann@a\.example · analyst/);
  const session = (await context.cookies()).filter((cookie) => cookie.name.startsWith("stillwatch"));
  assert.deepEqual(session.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]), [["stillwatch_session", true, "Strict"]]);
  assert.equal((await page.goto("/people")).status(), 403);
  const people = JSON.parse(execFileSync(program, ["person", "list", "--data", data, "--json"], { encoding: "utf8" }));
  assert.equal(JSON.stringify(people).includes("ann@a.example"), true);
  await page.goto("/");
  await page.locator(".who summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/sign-in/);
});

await test("whoever has no group with a role, or no verified address, is told so", async (page) => {
  await page.goto("/");
  await atProvider(page, "ben");
  assert.match(await page.innerText("#main"), /Your groups at the provider have no role here/);
  await page.context().clearCookies();
  await page.goto("/");
  await atProvider(page, "dan");
  assert.match(await page.innerText("#main"), /does not say that your address is verified/);
});

await test("whoever says no at the provider is told so", async (page) => {
  await page.goto("/");
  await page.getByRole("link", { name: /^Sign in at/ }).click();
  await page.getByText("[ Cancel ]").click();
  await page.waitForURL(`${site}/**`);
  assert.match(await page.innerText("#main"), /The provider did not let you in: access_denied/);
});

await test("an answer signs in the browser that asked for it, once", async (page) => {
  let answer = "";
  page.on("request", (request) => { if (request.url().includes("/done?")) answer = request.url(); });
  await page.goto("/");
  await atProvider(page, "cat");
  await page.waitForURL(`${site}/`);
  assert.match(await page.locator(".who").innerText(), /cat@a\.example · admin/);
  const other = await browser.newContext({ baseURL: site });
  const elsewhere = await other.newPage();
  assert.equal((await elsewhere.goto(answer)).status(), 401);
  assert.match(await elsewhere.innerText("#main"), /begun in another browser/);
  await other.close();
  assert.equal((await page.goto(answer)).status(), 401);
});

await test("whoever is shut out stays out, whatever the provider says", async (page) => {
  execFileSync(program, ["person", "change", "ann@a.example", "--shut-out", "--data", data]);
  await pause(1_000);
  await page.goto("/");
  await atProvider(page, "ann");
  assert.match(await page.innerText("#main"), /is shut out here/);
});

up.kill("SIGTERM");
await new Promise((done) => up.on("exit", done));
await browser.close();
providing.close();
providing.closeAllConnections();
if (failed.length) console.log(`\nfailed:\n  ${failed.join("\n  ")}`);
console.log(`${passed} passed, ${failed.length} failed`);
process.exit(failed.length ? 1 : 0);
