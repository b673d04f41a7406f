// Opens every page of the console, and does there what people do. `run` starts it beside a gateway with simulated traffic.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const { values: args } = parseArgs({
  options: {
    ready: { type: "string" }, data: { type: "string" }, binary: { type: "string" }, chromium: { type: "string" },
    shots: { type: "string" }, only: { type: "string", default: "" },
  },
});
const ready = JSON.parse(readFileSync(args.ready, "utf8"));
const base = ready.admin;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGE_BYTES_MAX = 300_000;
const FORM_BYTES_MAX = 256 * 1024;
const LIVE_MS_MAX = 5_000;
const CAMPAIGN = "/campaigns/cmp_1";
if (args.shots) mkdirSync(args.shots, { recursive: true });

// Chromium's sandbox cannot be used by root.
const browser = await chromium.launch({ executablePath: args.chromium, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });

// Tests, one after another: they share the gateway, and later ones look at what earlier ones did.

let passed = 0;
const failures = [];
/** What browsers complained of since the test began: errors in the console, scripts that failed, dialogs. */
const noise = [];

/** Runs a test. `expected` are the complaints of the browser that belong to it. */
async function test(name, act, { expected = [], always = false } = {}) {
  if (!always && !name.includes(args.only)) return;
  noise.length = 0;
  const began = performance.now();
  let problem = "";
  try {
    await act();
    const odd = noise.filter((line) => !expected.some((one) => one.test(line)));
    assert.deepEqual(odd, [], "the browser complained");
  } catch (error) {
    // Playwright colours what it says.
    problem = error.message.replaceAll(/\u001b\[\d+m/g, "");
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (problem === "") {
    passed += 1;
    console.log(`ok      ${name} (${seconds} s)`);
  } else {
    failures.push(name);
    console.log(`FAILED  ${name} (${seconds} s)\n        ${problem.replaceAll("\n", "\n        ")}`);
  }
}
const status = (code) => new RegExp(`the server responded with a status of ${code} `);

async function context(options = {}) {
  const made = await browser.newContext({ baseURL: base, viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  made.setDefaultTimeout(10_000);
  made.on("page", (page) => {
    page.on("console", (line) => { if (line.type() === "error") noise.push(`${line.text()} ${line.location().url.replace(base, "")}`); });
    page.on("pageerror", (error) => noise.push(`a script failed: ${error.message}`));
    page.on("request", (request) => { if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(`${options.baseURL ?? base}/`)) noise.push(`a request went to ${request.url()}`); });
    page.on("dialog", (dialog) => { noise.push(`a dialog opened: ${dialog.message()}`); dialog.dismiss().catch(() => {}); });
  });
  return made;
}

// People.

const people = {};
function added(name, role) {
  const shown = execFileSync(args.binary, ["person", "add", name, "--role", role, "--data", args.data, "--json"], { encoding: "utf8" });
  people[name] = { name, role, password: JSON.parse(shown).password };
}

/** Clicks what sends a form; the answer of the page that follows. */
async function send(page, button) {
  const [answer] = await Promise.all([page.waitForNavigation(), button.click()]);
  return answer;
}

async function fillSignIn(page, name, password) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  return send(page, page.getByRole("button", { name: "Sign in", exact: true }));
}

async function changePassword(page, old, fresh) {
  await page.getByLabel("Present password").fill(old);
  await page.getByLabel("New password").fill(fresh);
  await page.getByLabel("The new one again").fill(fresh);
  return send(page, page.getByRole("button", { name: "Change it" }));
}

/** Signs somebody in for the first time, with a password of their own afterwards. */
async function enter(name) {
  const person = people[name];
  person.context = await context();
  const page = await person.context.newPage();
  await page.goto("/sign-in");
  await fillSignIn(page, name, person.password);
  const own = `${name} chose this one`;
  await changePassword(page, person.password, own);
  person.password = own;
  assert.equal(new URL(page.url()).pathname, "/");
  await page.close();
}

/** A page of somebody who is signed in. It is closed after `act`. */
async function as(name, act) {
  const page = await people[name].context.newPage();
  try { return await act(page); } finally { await page.close(); }
}

/** Waits until a hunt has come to something. */
async function ended(page, id, what) {
  await page.goto("/hunts");
  const row = page.locator(`tr[data-row="${id}"]`);
  for (let tries = 0; tries < 90 && !(await row.count() && (await row.innerText()).includes(what)); tries++) {
    await page.waitForTimeout(1_000);
    await page.goto("/hunts");
  }
  const said = await row.innerText();
  assert.ok(said.includes(what), `expected ${what} of ${id}, which says: ${said}`);
}

/** How detection goes. */
async function detection() {
  const key = readFileSync(ready.admin_key_file, "utf8").trim();
  return (await fetch(`${base}/api/v1/detection`, { headers: { authorization: `Bearer ${key}` } })).json();
}

/** Waits until detection has read the record again, as it does when a verdict is taken back, and knows the campaign again. */
async function readAgain(page, before) {
  for (let tries = 0; tries < 60; tries++) {
    const { generation, has_caught_up } = await detection();
    if (generation !== before && has_caught_up && (await page.request.get(CAMPAIGN)).ok()) return;
    await page.waitForTimeout(1_000);
  }
  throw new Error(`${CAMPAIGN} did not come back after a verdict was taken back`);
}

const path = (page) => new URL(page.url()).pathname;
const main = (page) => page.locator("#main");
async function says(page, text) {
  const said = await main(page).innerText();
  assert.ok(text instanceof RegExp ? text.test(said) : said.includes(text), `expected ${text} on ${path(page)}, which says: ${said.slice(0, 600)}`);
}

/** Opens the form by which something is done, fills it in and sends it. */
async function respond(page, rung, reason, { shadow = false } = {}) {
  await page.getByText("Do something about it").click();
  const form = page.locator("form.respond");
  await form.locator(`input[name=rung][value=${rung}]`).check();
  if (shadow) await form.locator("input[name=shadow]").check();
  await form.locator("[name=reason]").fill(reason);
  return send(page, form.getByRole("button", { name: "Do it" }));
}

async function undo(page, reason) {
  await page.locator("form[action$='/undo'] [name=reason]").fill(reason);
  return send(page, page.getByRole("button", { name: "Undo" }));
}

/** What a click on a link or button saves. */
async function download(page, locator) {
  const [saved] = await Promise.all([page.waitForEvent("download"), locator.click()]);
  return { name: saved.suggestedFilename(), bytes: readFileSync(await saved.path()) };
}

/** A few accounts of the campaign. */
let members = [];

added("maria", "admin");
added("jonas", "responder");
added("lena", "analyst");
added("oskar", "viewer");

// Signing in.

await test("whoever signs in first has to change the password, and is led on", async () => {
  const maria = people.maria;
  maria.context = await context();
  const page = await maria.context.newPage();
  await page.goto("/campaigns");
  assert.equal(path(page), "/sign-in");
  assert.equal((await fillSignIn(page, "maria", "a wrong password")).status(), 401);
  await says(page, "do not belong together");
  await fillSignIn(page, "maria", maria.password);
  assert.equal(path(page), "/password");
  await page.goto("/campaigns");
  assert.equal(path(page), "/password", "no other page before the password is changed");
  await page.getByLabel("Present password").fill(maria.password);
  await page.getByLabel("New password").fill("one that is long enough");
  await page.getByLabel("The new one again").fill("another that is long enough");
  assert.equal((await send(page, page.getByRole("button", { name: "Change it" }))).status(), 400);
  await says(page, "not the same twice");
  const own = "maria chose this one";
  assert.equal((await changePassword(page, maria.password, own)).status(), 200);
  maria.password = own;
  assert.equal(path(page), "/");
  await page.locator(".who summary").click();
  await send(page, page.getByRole("button", { name: "Sign out" }));
  assert.equal(path(page), "/sign-in");
  await page.goBack();
  assert.equal(path(page), "/sign-in", "nothing is left in the browser's memory");
  await page.goto("/campaigns");
  await fillSignIn(page, "maria", own);
  assert.equal(path(page), "/campaigns", "whoever was sent to sign in goes on to where they were going");
  await page.close();
}, { expected: [status(401), status(400)], always: true });

await test("the others sign in", async () => {
  for (const name of ["jonas", "lena", "oskar"]) await enter(name);
}, { always: true });

await test("the campaign is there", async () => {
  await as("maria", async (page) => {
    // Detection reads the record anew after a start.
    for (let tries = 0; tries < 60; tries += 1) {
      if ((await page.goto(CAMPAIGN)).status() === 200) break;
      await page.waitForTimeout(1_000);
    }
    members = await page.locator("#table-accounts tbody th a").allInnerTexts();
    assert.ok(members.length > 20, `${members.length} accounts`);
  });
}, { expected: [status(404), status(503)], always: true });

await test("whoever guesses passwords has to wait", async () => {
  const page = await (await context()).newPage();
  await page.goto("/sign-in");
  for (let tries = 0; tries < 5; tries += 1) assert.equal((await fillSignIn(page, "stranger", `guess ${tries}`)).status(), 401);
  assert.equal((await fillSignIn(page, "stranger", "guess")).status(), 429);
  await says(page, /Try again in \d+ s/);
  await page.context().close();
}, { expected: [status(401), status(429)] });

// From the overview to a response, and back.

await test("overview, campaign, account, a shield, and its undoing", async () => {
  await as("jonas", async (page) => {
    await page.goto("/");
    assert.match(await page.locator("h1").innerText(), /^Somebody is taking the model: 1 campaign is known/);
    await page.locator("#table-campaigns tbody a").first().click();
    await page.waitForURL(`**${CAMPAIGN}`);
    for (const heading of ["What was done about it", "All its accounts", "The template", "Sample exchanges"]) await says(page, heading);
    await page.locator("#table-accounts tbody a").first().click();
    await page.waitForURL("**/accounts/*");
    await says(page, "cmp_1");
    const account = page.url();
    assert.equal((await respond(page, "shield", "it asks what the others ask", { shadow: true })).status(), 200);
    assert.match(path(page), /^\/responses\//);
    await says(page, "only tells (shadow)");
    await says(page, "it asks what the others ask");
    await undo(page, "seen enough");
    await page.goto(account);
    await respond(page, "shield", "now in earnest");
    await says(page, "holds");
    await page.goto(account);
    assert.match(await page.locator("#held").innerText(), /now in earnest/);
    await page.locator("#held a", { hasText: /shield/i }).first().click();
    await page.waitForURL("**/responses/*");
    await undo(page, "it was somebody else");
    await says(page, "by jonas: it was somebody else");
    assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);
  });
});

await test("every way to respond to the campaign", async () => {
  await as("jonas", async (page) => {
    await page.goto(CAMPAIGN);
    await page.getByText("Do something about it").click();
    const form = page.locator("form.respond");
    await form.locator("input[value=observe]").check();
    assert.equal(await form.locator("[name=amount]").isVisible(), false, "a budget belongs to a budget only");
    await form.locator("input[value=share_budget]").check();
    assert.equal(await form.locator("[name=amount]").isVisible(), true);
    await form.locator("[name=amount]").fill("1000");
    await form.locator("[name=reason]").fill("together they may have so much");
    assert.equal((await send(page, form.getByRole("button", { name: "Do it" }))).status(), 200);
    await says(page, "1000 requests per day");
    await undo(page, "tried");
    for (const rung of ["observe", "verify", "shield"]) {
      await page.goto(CAMPAIGN);
      assert.equal((await respond(page, rung, `with ${rung}`)).status(), 200);
      await says(page, `with ${rung}`);
      await undo(page, "tried");
      await says(page, "by jonas: tried");
    }
  });
});

await test("a block of many accounts waits for a second person", async () => {
  let response = "";
  await as("jonas", async (page) => {
    await page.goto(CAMPAIGN);
    await respond(page, "block", "they take the model");
    response = page.url();
    await says(page, "waits for a second person");
    await says(page, "You took it yourself");
    assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
    const csrf = await page.locator("input[name=csrf]").first().inputValue();
    // Whoever sends the form all the same is turned away.
    const answered = await page.evaluate(async ([to, token]) => {
      const answer = await fetch(to, { method: "POST", body: new URLSearchParams({ csrf: token }) });
      return answer.status;
    }, [`${response}/approve`, csrf]);
    assert.ok(answered >= 400 && answered < 500, `approving one's own: ${answered}`);
    await page.goto(response);
    await says(page, "waits for a second person");
    await page.goto("/");
    await says(page, "1 response waits for a second person");
  });
  await as("maria", async (page) => {
    await page.goto("/");
    await page.getByRole("link", { name: "1 response waits for a second person" }).click();
    await page.waitForURL("**/responses");
    await page.locator("#table-responses tr", { hasText: "they take the model" }).locator("th a").click();
    await page.waitForURL(response);
    await send(page, page.getByRole("button", { name: "Approve" }));
    await says(page, /approved by\s+maria/);
    await undo(page, "a drill");
    await says(page, "by maria: a drill");
  });
}, { expected: [/status of 4\d\d .*\/approve/] });

await test("with a page open, what another session does appears by itself", async () => {
  await as("lena", async (watching) => {
    await watching.goto(CAMPAIGN);
    await watching.locator("#live.on").waitFor();
    await as("jonas", async (page) => {
      await page.goto(CAMPAIGN);
      await page.locator("#live.on").waitFor();
      await page.getByText("Do something about it").click();
      await page.locator("form.respond [name=reason]").fill("half a sentence");
      await as("maria", async (other) => {
        await other.goto(CAMPAIGN);
        await respond(other, "observe", "look at this one");
        const seen = { timeout: LIVE_MS_MAX };
        await watching.locator("#done", { hasText: "look at this one" }).waitFor(seen);
        await page.locator("#done", { hasText: "look at this one" }).waitFor(seen);
        assert.equal(await page.locator("form.respond [name=reason]").inputValue(), "half a sentence", "what is being written stays");
        await undo(other, "looked");
        await watching.locator("#done tr", { hasText: "look at this one" }).filter({ hasText: "undone" }).waitFor(seen);
      });
    });
  });
});

await test("a notice waits for the page that it was left for, also with a second page open", async () => {
  await as("jonas", async (second) => {
    await second.goto("/campaigns");
    await second.locator("#live.on").waitFor();
    await as("jonas", async (page) => {
      await page.goto(`/accounts/${members[3]}`);
      // Long enough for the second page to follow the change in between, as happens by chance otherwise.
      await page.route("**/responses/rsp_*", async (route) => { await page.waitForTimeout(2_500); await route.continue(); });
      await page.route("**/responses", async (route) => {
        const answer = await route.fetch({ maxRedirects: 0 });
        await second.waitForTimeout(2_500);
        await route.fulfill({ response: answer });
      });
      await respond(page, "observe", "with a second page open", { shadow: true });
      const said = await main(page).innerText();
      await undo(page, "seen");
      assert.ok(said.includes("nothing else changes"), `the page after responding says: ${said.slice(0, 200)}`);
    });
  });
});

// Policies.

await test("policies are checked, compared, applied and taken back", async () => {
  await as("maria", async (page) => {
    await page.goto("/policies");
    await says(page, "those that Stillwatch comes with");
    const text = page.locator("#text");
    const before = await text.inputValue();
    const check = page.getByRole("button", { name: /^Check/ });
    await text.fill(`${before}\npermit (principal, action, resource`);
    assert.equal((await send(page, check)).status(), 422);
    await says(page, "They cannot be used");
    assert.match(await page.locator(".troubles").innerText(), /line \d+/);
    assert.match(await text.inputValue(), /permit \(principal, action, resource$/, "what was written stays");
    const after = `${before.trimEnd()}\n\n@id("nobody-from-nowhere")\nforbid (principal, action, resource) when { context has nowhere };\n`;
    await text.fill(after);
    const checked = await send(page, check);
    const said = await main(page).innerText();
    assert.equal(checked.status(), 200, said.slice(0, 600));
    await says(page, "They can be used");
    assert.match(await page.locator(".difference .new").allInnerTexts().then((lines) => lines.join("\n")), /nobody-from-nowhere/);
    assert.equal(await page.locator(".difference .gone").count(), 0, "nothing that stays is shown as gone");
    await page.goto("/policies");
    assert.equal(await text.inputValue(), before, "checking changes nothing");
    await text.fill(after);
    await send(page, page.getByRole("button", { name: "Apply" }));
    await says(page, "applied by a person");
    assert.match(await text.inputValue(), /nobody-from-nowhere/);
    await send(page, page.getByRole("button", { name: /^Go back/ }));
    await says(page, "those that Stillwatch comes with");
    assert.equal(await text.inputValue(), before);
    // Both are versions now, and one can be gone back to.
    const versions = page.locator("#table-versions tbody tr");
    assert.equal(await versions.count(), 2);
    assert.match(await versions.first().innerText(), /maria/);
    await page.getByRole("link", { name: "version 1" }).click();
    await says(page, "They can be used");
    assert.match(await text.inputValue(), /nobody-from-nowhere/);
    assert.match(await page.locator(".difference .new").first().innerText(), /\+/);
  });
}, { expected: [status(422)] });

await test("policies are tried on what was recorded", async () => {
  await as("maria", async (page) => {
    await page.goto("/policies");
    const text = page.locator("#text");
    const before = await text.inputValue();
    const attempt = page.getByRole("button", { name: /^Try on/ });
    await send(page, attempt);
    await says(page, "0 would have got something else");
    await text.fill(`${before}\n@id("nobody")\nforbid (principal, action == Action::"infer", resource);\n`);
    await page.getByLabel("days to try them on").fill("30");
    await send(page, attempt);
    const told = await page.locator("#trial").innerText();
    const [, all, different] = told.match(/Of ([\d ,]+) requests of the last 30 days, ([\d ,]+) would have got something else/) ?? [];
    assert.ok(all && different && !/^0$/.test(different), told.slice(0, 400));
    assert.equal(await page.locator("#table-affected tbody tr").count(), 20);
    assert.equal(await page.locator("#table-affected .save").count(), 0);
    await page.goto("/policies");
    assert.equal(await text.inputValue(), before, "trying changes nothing");
  });
});

// Quotas and organisations.

await test("a quota and an organisation are set, and the quota is taken away", async () => {
  await as("jonas", async (page) => {
    await page.goto("/quotas");
    await says(page, "No quota is set");
    await page.getByText("Set a quota, or change one").click();
    await page.getByLabel("Name").fill("two-accounts");
    await page.getByLabel("Holds for").selectOption("group");
    await page.getByLabel("At most").fill("2 000 000");
    await page.getByLabel("Of").selectOption("tokens");
    await page.getByLabel("In", { exact: true }).selectOption("day");
    assert.equal((await send(page, page.getByRole("button", { name: "Set it" }))).status(), 400);
    await says(page, "expected the accounts of the group");
    await page.goto("/quotas");
    await page.getByText("Set a quota, or change one").click();
    await page.getByLabel("Name").fill("two-accounts");
    await page.getByLabel("Holds for").selectOption("group");
    await page.getByLabel(/^Accounts/).fill(`${members[0]} ${members[1]}`);
    await page.getByLabel("At most").fill("2 000 000");
    await page.getByLabel("Of").selectOption("tokens");
    await page.getByLabel("In", { exact: true }).selectOption("day");
    await send(page, page.getByRole("button", { name: "Set it" }));
    await says(page, "two-accounts holds from now on");
    assert.match(await page.locator("#table-quotas").innerText(), /2 accounts together.*\s+2,000,000/);
    await page.getByText("Take a quota away").click();
    await send(page, page.getByRole("button", { name: "Take it away" }));
    await says(page, "No quota is set");
    await page.goto("/organisations");
    await page.getByText("Add an organisation, or change one").click();
    await page.getByLabel("Id").fill("org-1");
    await page.getByLabel("Name").fill("Example Ltd");
    await page.getByLabel("Known by").selectOption("contract");
    await send(page, page.getByRole("button", { name: "Write it" }));
    assert.match(await page.locator("#table-organisations").innerText(), /org-1[\s\S]*Example Ltd[\s\S]*contract/);
  });
  await as("oskar", async (page) => {
    await page.goto("/quotas");
    assert.equal(await page.getByText("Set a quota, or change one").count(), 0, "a viewer sets none");
    assert.equal((await page.goto("/settings")).status(), 403);
  });
  await as("maria", async (page) => {
    await page.goto("/settings");
    await says(page, "block_alone_max = 5");
  });
}, { expected: [status(400), status(403)] });

// Hunts.

await test("a hunt over a span of what was recorded finds the campaign", async () => {
  await as("lena", async (page) => {
    await page.goto("/hunts");
    await says(page, "Nobody hunted from here yet");
    await page.getByText("Hunt in what was recorded").click();
    await page.locator("#from").fill("2026-07-22");
    await page.locator("#until").fill("2026-07-20");
    assert.equal((await send(page, page.getByRole("button", { name: "Hunt", exact: true }))).status(), 400);
    await page.goto("/hunts");
    await page.getByText("Hunt in what was recorded").click();
    await page.locator("#from").fill("2026-07-20");
    await page.locator("#until").fill("2026-07-23");
    await send(page, page.getByRole("button", { name: "Hunt", exact: true }));
    await says(page, "hnt_1 is under way");
    await ended(page, "hnt_1", "1 campaign found");
    await page.getByRole("link", { name: "hnt_1" }).click();
    await says(page, "Why: the evidence");
    const { bytes } = await download(page, page.getByRole("link", { name: /^Save its findings/ }));
    assert.equal(JSON.parse(bytes).campaigns.length, 1);
  });
  await as("oskar", async (page) => {
    await page.goto("/hunts/hnt_1");
    await says(page, "texts are for analysts");
    assert.equal((await page.request.get("/hunts/hnt_1/findings")).status(), 403);
  });
}, { expected: [status(400)] });

await test("a hunt in files that somebody sends finds it too, and tells what it cannot read", async () => {
  await as("lena", async (page) => {
    const folder = join(args.data, "exchanges");
    const logs = readdirSync(folder).filter((name) => name !== "accounts.jsonl").map((name) => join(folder, name));
    await page.goto("/hunts");
    await page.getByText("Hunt in a log of your own").click();
    await page.getByLabel(/^Logs/).setInputFiles(logs);
    await page.getByLabel(/^What is known of the accounts/).setInputFiles(join(folder, "accounts.jsonl"));
    await send(page, page.getByRole("button", { name: "Send and hunt" }));
    await says(page, "hnt_2 is under way");
    await ended(page, "hnt_2", "1 campaign found");
    assert.deepEqual(readdirSync(join(args.data, "hunts")).filter((name) => name.startsWith("sent")), []);
    await page.getByText("Hunt in a log of your own").click();
    await page.getByLabel(/^Logs/).setInputFiles({ name: "odd <b>.txt", mimeType: "text/plain", buffer: Buffer.from("this is no log\n") });
    await send(page, page.getByRole("button", { name: "Send and hunt" }));
    await ended(page, "hnt_3", "failed");
    await page.goto("/hunts/hnt_3");
    await says(page, "It did not come to its end");
    await says(page, /skipped odd__b_\.txt:1: not JSON/);
  });
});

await test("a hunt is run on a schedule, and one that waits or runs is stopped", async () => {
  await as("lena", async (page) => {
    await page.goto("/hunts");
    await page.getByText("Hunt on a schedule", { exact: true }).click();
    await page.getByLabel("Name").fill("nightly <i>");
    await page.getByLabel(/^Every/).fill("0");
    assert.equal((await send(page, page.getByRole("button", { name: "Add the schedule" }))).status(), 400);
    await page.goto("/hunts");
    await page.getByText("Hunt on a schedule", { exact: true }).click();
    await page.getByLabel("Name").fill("nightly <i>");
    await page.getByLabel(/^Days back/).fill("30");
    await send(page, page.getByRole("button", { name: "Add the schedule" }));
    await says(page, "nightly <i> runs now, and next at");
    await says(page, "the last 30 days");
    await ended(page, "hnt_4", "1 campaign found");
    await says(page, "lena (schedule)");
    await send(page, page.getByRole("button", { name: "Remove nightly <i>" }));
    await says(page, "None yet. A hunt on a schedule");
    await page.getByText("Hunt in what was recorded").click();
    await send(page, page.getByRole("button", { name: "Hunt", exact: true }));
    await page.goto("/hunts/hnt_5");
    await send(page, page.getByRole("button", { name: "Stop it" }));
    await ended(page, "hnt_5", "stopped by lena");
    await page.goto("/");
  });
}, { expected: [status(400)] });

// Passkeys.

await test("somebody adds a passkey, signs in by it alone, and removes it", async () => {
  added("petra", "analyst");
  // By its name, since passkeys are bound to one.
  const made = await context({ baseURL: base.replace("127.0.0.1", "localhost") });
  const page = await made.newPage();
  const cdp = await made.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: {
    protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
  } });
  try {
    await page.goto("/sign-in");
    await fillSignIn(page, "petra", people.petra.password);
    await changePassword(page, people.petra.password, "petra chose this one");
    await page.locator(".who summary").click();
    await page.getByRole("link", { name: "Passkeys" }).click();
    await says(page, "You have none");
    await page.getByLabel("What you call it").fill("laptop <b>");
    await page.getByLabel("Present password").fill("a wrong one, this is");
    assert.equal((await send(page, page.getByRole("button", { name: "Add a passkey" }))).status(), 400);
    await says(page, "The present password is another");
    // The device has one by now, which the console does not know.
    await cdp.send("WebAuthn.clearCredentials", { authenticatorId });
    await page.getByLabel("What you call it").fill("laptop <b>");
    await page.getByLabel("Present password").fill("petra chose this one");
    await send(page, page.getByRole("button", { name: "Add a passkey" }));
    await says(page, "laptop <b> is added");
    await page.getByLabel("What you call it").fill("again");
    await page.getByLabel("Present password").fill("petra chose this one");
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByText("This device has a passkey here already").waitFor();
    await page.locator(".who summary").click();
    await send(page, page.getByRole("button", { name: "Sign out" }));
    await page.goto("/cases");
    await send(page, page.getByRole("button", { name: "Sign in by a passkey" }));
    assert.equal(path(page), "/cases");
    assert.match(await page.locator(".who").innerText(), /petra · analyst/);
    await page.goto("/passkeys");
    await send(page, page.getByRole("button", { name: "Remove laptop <b>" }));
    await says(page, "You have none");
    await page.locator(".who summary").click();
    await send(page, page.getByRole("button", { name: "Sign out" }));
    assert.equal((await send(page, page.getByRole("button", { name: "Sign in by a passkey" }))).status(), 401);
    await says(page, "This passkey is nobody's here");
  } finally { await made.close(); }
}, { expected: [status(400), status(401)] });

// Saved views.

await test("a view is saved, opened and removed", async () => {
  await as("lena", async (page) => {
    await page.goto("/cases?state=open&severity=high");
    await page.locator(".who summary").click();
    await page.getByLabel("Save this page as").fill("bad ones");
    await send(page, page.locator(".save-view").getByRole("button", { name: "Save" }));
    await says(page, "Saved as bad ones");
    assert.equal(new URL(page.url()).search, "?state=open&severity=high");
    await page.goto("/views");
    await page.getByRole("link", { name: "bad ones" }).click();
    assert.equal(new URL(page.url()).pathname, "/cases");
    await page.goto("/views");
    await send(page, page.getByRole("button", { name: "Remove bad ones" }));
    await says(page, "You saved none yet");
  });
});

// Several accounts at once.

await test("several accounts are decided about at once, and not too many are shut out by one person", async () => {
  await as("jonas", async (page) => {
    const choose = async (count) => {
      await page.goto("/accounts?only=active");
      for (let place = 0; place < count; place++) await page.locator("#table-accounts input[name=chosen]").nth(place).check();
      await page.getByLabel("Why").fill("a drill");
    };
    await choose(2);
    await page.getByLabel("What").selectOption("suspended");
    await send(page, page.getByRole("button", { name: "Do it" }));
    await says(page, "Done for 2 accounts");
    await page.goto("/accounts?only=suspended");
    const boxes = page.locator("#table-accounts input[name=chosen]");
    assert.equal(await boxes.count(), 2);
    for (const box of await boxes.all()) await box.check();
    await page.getByLabel("Why").fill("it was one");
    await page.getByLabel("What").selectOption("active");
    await send(page, page.getByRole("button", { name: "Do it" }));
    await choose(6);
    await page.getByLabel("What").selectOption("block");
    assert.equal((await send(page, page.getByRole("button", { name: "Do it" }))).status(), 403);
    await says(page, "6 accounts are more than the 5 that one person may shut out");
  });
}, { expected: [status(403)] });

// Appeals.

await test("appeals are entered by an analyst and decided by a responder", async () => {
  const to = `/accounts/${members[1]}`;
  const enterAppeal = (text) => as("lena", async (page) => {
    await page.goto(to);
    await page.getByText("Enter an appeal").click();
    await page.getByLabel("What it says").fill(text);
    await send(page, page.getByRole("button", { name: "Enter it" }));
    await says(page, text);
    assert.equal(await page.getByRole("button", { name: "Decide" }).count(), 0, "an analyst does not decide");
  });
  const decide = (ruling, reason) => as("jonas", async (page) => {
    await page.goto("/");
    await page.getByRole("link", { name: "1 appeal waits for a decision" }).click();
    await page.waitForURL("**/responses#appeals");
    await page.locator("#table-appeals tbody td a").first().click();
    await page.waitForURL(`**${to}`);
    await page.locator(`form[action^='/appeals/'] input[value=${ruling}]`).check();
    await page.locator("form[action^='/appeals/'] [name=reason]").fill(reason);
    await send(page, page.getByRole("button", { name: "Decide" }));
    await says(page, reason);
  });
  await enterAppeal("We teach a class with one template.");
  await decide("reject", "there is no such class");
  await as("jonas", async (page) => { await page.goto(to); await says(page, "rejected by jonas"); });
  await enterAppeal("Here is the letter of the school.");
  await decide("uphold", "the school confirms it");
  await as("jonas", async (page) => {
    await page.goto(to);
    await says(page, "upheld by jonas");
    assert.match(await page.locator("#facts").innerText(), /cleared since/);
  });
});

// Who may what.

await test("a viewer sees no texts and no forms", async () => {
  const texts = await as("lena", async (page) => {
    await page.goto(CAMPAIGN);
    const template = await page.locator("[id$=-template] .text span").allInnerTexts();
    const samples = await page.locator("[id$=-samples] blockquote span").allInnerTexts();
    const groups = [];
    for (const to of await placesOf(page)) {
      await page.goto(to);
      groups.push(...await page.locator("td[data-label='its text begins']").allInnerTexts());
    }
    const long = [...template, ...samples, ...groups].map((text) => text.trim()).filter((text) => text.length > 20);
    assert.ok(long.length > 2, "an analyst sees texts");
    return long;
  });
  await as("oskar", async (page) => {
    for (const to of ["/", "/campaigns", CAMPAIGN, `${CAMPAIGN}?table=accounts&as=json`, "/campaigns?table=campaigns&as=csv", `/accounts/${members[0]}`, "/responses"]) {
      const answer = await page.request.get(to);
      assert.equal(answer.status(), 200, to);
      const got = await answer.text();
      for (const text of texts) assert.ok(!got.includes(text), `${to} has the text ${text}`);
    }
    const places = await placesOf(page);
    for (const to of [...places, CAMPAIGN, `/accounts/${members[0]}`]) {
      await page.goto(to);
      assert.equal(await page.locator("main form[method=post]").count(), 0, `${to} has a form`);
    }
    assert.ok(!places.includes("/people"));
    await page.goto("/responses");
    await page.locator("#table-responses th a").first().click();
    await page.waitForURL("**/responses/*");
    assert.equal(await page.locator("main form").count(), 0);
    assert.equal((await page.goto("/people")).status(), 403);
    await says(page, "this is for admin and above; you are viewer");
  });
}, { expected: [status(403)] });

/** The pages that the frame names. */
async function placesOf(page) {
  await page.goto("/");
  return page.locator("nav[aria-label=Pages] a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
}

await test("somebody is let in, gets another role, and is shut out", async () => {
  await as("maria", async (page) => {
    await page.goto("/people");
    await page.getByLabel("Name").fill("eva");
    await page.getByLabel("May", { exact: true }).selectOption("viewer");
    await send(page, page.getByRole("button", { name: "Let them in" }));
    await says(page, "shown this once");
    people.eva = { name: "eva", password: await page.locator(".secret").innerText() };
    await enter("eva");
    const row = page.locator("form[action='/people/eva']");
    const change = async (what, role) => {
      await page.goto("/people");
      if (role) await row.getByLabel("role of eva").selectOption(role);
      await send(page, row.getByRole("button", { name: what }));
    };
    await as("eva", async (open) => {
      await open.goto("/campaigns");
      await change("Give this role", "responder");
      assert.match(await page.locator("#table-people tr", { hasText: "eva" }).innerText(), /responder/);
      // Another role ends the session.
      await open.goto("/campaigns");
      assert.equal(path(open), "/sign-in");
      await fillSignIn(open, "eva", people.eva.password);
      assert.equal(path(open), "/campaigns");
      await open.goto(CAMPAIGN);
      assert.equal(await open.locator("form.respond").count(), 1);
      await change("Shut out");
      assert.match(await page.locator("#table-people tr", { hasText: "eva" }).innerText(), /shut out since/);
      await open.locator("nav[aria-label=Pages] a[href='/accounts']").click({ timeout: 2_000 }).catch(() => {});
      await open.waitForURL("**/sign-in**");
      assert.equal((await fillSignIn(open, "eva", people.eva.password)).status(), 401);
    });
    await change("Let in");
    assert.match(await page.locator("#table-people tr", { hasText: "eva" }).innerText(), /may sign in/);
    await change("Another password");
    await says(page, "shown this once");
  });
}, { expected: [status(401)], always: true });

await test("the choice of a role begins with the one that somebody has", async () => {
  await as("maria", async (page) => {
    await page.goto("/people");
    const shown = {};
    for (const name of ["maria", "jonas", "lena", "oskar"]) shown[name] = await page.getByLabel(`role of ${name}`).inputValue();
    assert.deepEqual(shown, { maria: "admin", jonas: "responder", lena: "analyst", oskar: "viewer" });
  });
});

// What stays.

await test("the audit trail tells who did what, with a receipt", async () => {
  await as("jonas", async (page) => {
    await page.goto(`/accounts/${members[2]}`);
    await respond(page, "observe", "for the audit trail");
    await undo(page, "for the audit trail too");
  });
  await as("oskar", async (page) => {
    const rows = page.locator("#table-audit tbody tr");
    // What is done is put down a moment later.
    for (let tries = 0; tries < 20 && await rows.count() < 2; tries += 1) {
      await page.waitForTimeout(250);
      await page.goto("/audit");
      await page.locator("[data-find]").fill("for the audit trail");
      await send(page, page.getByRole("button", { name: "Find" }));
    }
    assert.ok(await rows.count() >= 2, await main(page).innerText());
    for (const row of await rows.allInnerTexts()) assert.match(row, /jonas/);
    await rows.first().locator("a").click();
    await page.waitForURL("**/audit/*");
    const index = path(page).split("/").at(-1);
    await says(page, /who\s+person:jonas/);
    await says(page, "for the audit trail");
    const receipt = await download(page, page.getByRole("link", { name: /^Receipt/ }));
    assert.equal(receipt.name, `entry-${index}.tlog-proof`);
    assert.match(receipt.bytes.toString(), /^c2sp\.org\/tlog-proof/);
  });
});

await test("exchanges are searched, and one is read for a reason that is put down", async () => {
  await as("lena", async (page) => {
    // The lake is filled some seconds after the start.
    for (let tries = 0; tries < 60; tries += 1) {
      if ((await page.goto("/exchanges?campaign=cmp_1")).status() === 200) break;
      await page.waitForTimeout(1_000);
    }
    const rows = page.locator("#table-exchanges tbody tr");
    assert.equal(await rows.count(), 100);
    await page.goto("/exchanges?campaign=cmp_1&capability=translation");
    await says(page, "No exchange is as asked.");
    assert.equal((await page.goto("/exchanges?from=yesterday")).status(), 400);
    await page.goto("/exchanges?campaign=cmp_1");
    const latest = await rows.first().locator("th a").innerText();
    await page.getByText("Earlier exchanges").click();
    await page.waitForURL(/behind=/);
    assert.ok(await rows.first().locator("th a").innerText() < latest);
    await rows.first().locator("th a").click();
    await page.waitForURL(/\/exchange\?/);
    await page.locator("#reason").fill("case 12: what they asked");
    await send(page, page.getByRole("button", { name: "Read it" }));
    assert.ok((await page.locator("main .text").first().innerText()).length > 20);
    await page.getByText("more like this one").click();
    await page.waitForURL(/like=/);
    assert.ok(await rows.count() > 10);
    await page.goto("/audit?kind=reading");
    await says(page, "case 12: what they asked");
    await says(page, "person:lena");
  });
  await as("oskar", async (page) => {
    await page.goto("/exchanges");
    await page.locator("#table-exchanges tbody th a").first().click();
    await page.waitForURL(/\/exchange\?/);
    await says(page, "Texts are for analysts.");
  });
}, { expected: [status(409), status(400)] });

await test("several clusters are called benign at once", async () => {
  await as("lena", async (page) => {
    await page.goto("/clusters");
    const form = page.locator("form[action='/verdicts/several']");
    await form.getByLabel("Why").fill("a class");
    assert.equal((await send(page, form.getByRole("button", { name: "Say it" }))).status(), 400);
    await says(page, "no cluster is chosen");
    await page.goto("/clusters");
    for (const box of (await form.locator("input[name=chosen]").all()).slice(-2)) await box.check();
    await form.getByLabel("Why").fill("two classes of <b>students</b>");
    await send(page, form.getByRole("button", { name: "Say it" }));
    await says(page, "Said of 2 clusters");
    await says(page, "two classes of <b>students</b>");
    for (let left = 2; left > 0; left--) {
      const { generation } = await detection();
      await page.getByText("Take one back").click();
      const back = page.locator("form[action$='/undo']").first();
      await back.getByLabel("Why").fill("they are none");
      await send(page, back.getByRole("button"));
      await says(page, "taken back by lena: they are none");
      await readAgain(page, generation);
    }
  });
}, { expected: [status(400)] });

await test("a look-alike is labelled, and that is taken back", async () => {
  await as("lena", async (page) => {
    await page.goto("/clusters");
    await page.locator("#table-clusters tbody th a").first().click();
    await page.waitForURL("**/clusters/*");
    await page.getByText("Say what it is").click();
    await page.locator("input[value=research]").check();
    await page.getByLabel("For how many days").fill("90");
    await page.locator("#said").fill("a course at a school");
    await send(page, page.getByRole("button", { name: "Say so" }));
    await says(page, "approved research");
    await says(page, "in force");
    const { generation } = await detection();
    await page.getByText("Take one back").click();
    await page.locator("form[action^='/verdicts/'] [name=reason]").last().fill("it is no school");
    await send(page, page.getByRole("button", { name: /^Take back/ }).last());
    await says(page, "taken back by lena: it is no school");
    await page.goto("/audit?kind=verdict");
    await says(page, "it is no school");
    await readAgain(page, generation);
  });
});

await test("a playbook is begun for a case and walked through, each step put down", async () => {
  await as("lena", async (page) => {
    await page.goto("/cases");
    await page.getByText("Open a case").first().click();
    await page.locator("form[action='/cases'] [name=title]").fill("Walked through");
    await send(page, page.getByRole("button", { name: "Open it" }));
    const at = path(page);
    await says(page, "No playbook was begun for this case.");
    await page.getByText("Begin a playbook").click();
    await page.locator("form[action$='/playbooks'] [name=playbook]").selectOption("campaign");
    await page.locator("form[action$='/playbooks'] [name=reason]").fill("a test of playbooks");
    await send(page, page.getByRole("button", { name: "Begin it" }));
    assert.equal(path(page), at);
    const first = await page.locator(".step h4").first().textContent();
    await page.locator(".step [name=note]").first().fill("<b>seen</b>");
    await send(page, page.locator(".step").first().getByRole("button", { name: /It is done|Yes/ }));
    const name = first.replace("To be done: ", "");
    assert.ok((await page.locator(".steps li").first().textContent()).includes(name));
    await says(page, "<b>seen</b>");
    const run = (await page.locator("#playbooks h3 .quiet").first().textContent()).trim();
    // Whoever may not work on cases sees it, and has no forms.
    await as("oskar", async (viewer) => {
      await viewer.goto(at);
      await says(viewer, "To be done:");
      assert.equal(await viewer.locator("form[action*='/playbooks']").count(), 0);
    });
    // A step that is not to be done is refused, and so is a run of another case.
    const csrf = await page.locator("[name=csrf]").first().inputValue();
    const headers = { origin: new URL(page.url()).origin, "sec-fetch-site": "same-origin" };
    const refused = async (path, step) => {
      const form = { csrf, step, outcome: "done" };
      return (await page.request.post(new URL(path, page.url()).href, { form, headers, maxRedirects: 0 })).status();
    };
    assert.equal(await refused(`${at}/playbooks/${run}`, "action--nothing"), 400);
    assert.equal(await refused(`/cases/case_none/playbooks/${run}`, "x"), 404);
    await page.goto("/audit?kind=playbook_step");
    await says(page, `run:${run}`);
  });
});

await test("a case is opened, worked on by several, and closed with others", async () => {
  await as("lena", async (page) => {
    await page.goto(CAMPAIGN);
    await page.getByText("Open a case about it").click();
    await page.locator("form[action='/cases'] [name=title]").fill("Somebody takes reasoning");
    await send(page, page.getByRole("button", { name: "Open it" }));
    await says(page, "The case is open.");
    await says(page, "when detection first named a campaign of it");
    assert.ok(await page.locator("#table-clocks tbody tr").count() >= 8);
    await says(page, "Article 33(1)");
    const at = path(page);
    await page.getByText("Change it").first().click();
    await page.getByLabel("Owner").selectOption("jonas");
    await page.getByLabel("Due (UTC)").fill("2026-07-20");
    await page.getByLabel("Elsewhere").fill("javascript:alert(1)");
    assert.equal((await send(page, page.getByRole("button", { name: "Change it" }))).status(), 400);
    await page.goto(at);
    await page.getByText("Change it").first().click();
    await page.getByLabel("Owner").selectOption("jonas");
    await page.getByLabel("Due (UTC)").fill("2026-07-20");
    await page.getByLabel("Elsewhere").fill("https://tickets.example/17");
    await send(page, page.getByRole("button", { name: "Change it" }));
    await says(page, "jonas");
    await as("jonas", async (other) => {
      await other.goto(at);
      await other.getByLabel("Note something").fill("I asked the account team.");
      await send(other, other.getByRole("button", { name: "Note it" }));
      await says(other, "I asked the account team.");
    });
    await page.getByText("I asked the account team.").waitFor({ timeout: LIVE_MS_MAX });
    await page.goto("/cases");
    await says(page, "Somebody takes reasoning");
    await page.locator("tbody input[name=chosen]").first().check();
    await page.locator(".bulk select[name=state]").selectOption("closed");
    await send(page, page.getByRole("button", { name: "Change them" }));
    await says(page, "1 case changed.");
    await page.goto("/cases?only=closed");
    await says(page, "Somebody takes reasoning");
    await page.goto("/audit?kind=case");
    await says(page, "person:jonas");
  });
}, { expected: [status(400)] });

await test("the audit trail follows what is done", async () => {
  await as("oskar", async (watching) => {
    await watching.goto("/audit");
    await watching.locator("#live.on").waitFor();
    const rows = watching.locator("#table-audit tbody tr");
    await as("jonas", async (page) => {
      await page.goto(`/accounts/${members[2]}`);
      await respond(page, "observe", "for who watches the trail");
      await rows.filter({ hasText: "for who watches the trail" }).waitFor({ timeout: LIVE_MS_MAX });
      await undo(page, "and this at once after it");
      await rows.filter({ hasText: "and this at once after it" }).waitFor({ timeout: LIVE_MS_MAX });
    });
  });
});

await test("tables are saved whole as CSV and JSON", async () => {
  await as("oskar", async (page) => {
    await page.goto("/accounts");
    const shown = await page.locator("#table-accounts caption").innerText();
    const total = Number(/of ([\d\s,.’']+)\)/.exec(shown)?.[1].replace(/\D/g, "") ?? await page.locator("#table-accounts tbody tr").count());
    const csv = await download(page, page.getByRole("link", { name: "CSV" }));
    assert.equal(csv.name, "accounts.csv");
    const lines = csv.bytes.toString().trimEnd().split("\r\n");
    assert.match(lines[0], /^account,name,/);
    assert.equal(lines.length - 1, total);
    const json = await download(page, page.getByRole("link", { name: "JSON" }));
    assert.equal(json.name, "accounts.json");
    const { accounts, left_out } = JSON.parse(json.bytes);
    assert.equal(accounts.length, total);
    assert.equal(left_out, null);
    // Only what was found.
    await page.locator("#only").selectOption("suspected");
    await send(page, page.getByRole("button", { name: "Find" }));
    const found = JSON.parse((await download(page, page.getByRole("link", { name: "JSON" }))).bytes);
    assert.ok(found.accounts.length > 20 && found.accounts.length < total, `${found.accounts.length} of ${total}`);
    await page.goto("/accounts");
    if (total > 100) {
      const first = await page.locator("#table-accounts tbody th").first().innerText();
      await page.getByRole("link", { name: "Further rows" }).click();
      await page.waitForURL("**before=100");
      assert.notEqual(await page.locator("#table-accounts tbody th").first().innerText(), first);
    }
  });
});

await test("pictures are saved as SVG and PNG", async () => {
  await as("oskar", async (page) => {
    for (const to of ["/", CAMPAIGN]) {
      await page.goto(to);
      const svg = await download(page, page.getByRole("button", { name: "Save as SVG" }).first());
      assert.match(svg.name, /\.svg$/);
      assert.match(svg.bytes.toString(), /^<svg /);
      assert.ok(!svg.bytes.includes("var(--"), "a picture by itself knows no style sheet");
      const png = await download(page, page.getByRole("button", { name: "Save as PNG" }).first());
      assert.match(png.name, /\.png$/);
      assert.equal(png.bytes.subarray(1, 4).toString(), "PNG");
      assert.ok(png.bytes.length > 2_000, `${png.bytes.length} bytes`);
    }
  });
});

await test("a page prints without its forms", async () => {
  await as("jonas", async (page) => {
    await page.emulateMedia({ media: "print" });
    await page.goto(CAMPAIGN);
    assert.equal(await page.locator("form:visible, header.bar:visible, .save:visible").count(), 0);
    await says(page, "All its accounts");
  });
});

// Without a mouse, and without scripts.

const focused = (page, act) => page.evaluate(act);
const press = async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); };
/** Tab until `isThere` holds of the element that has the focus. */
async function tab(page, isThere, most = 60) {
  for (let count = 1; count <= most; count += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
      return { isSeen: outlineStyle !== "none" || boxShadow !== "none", what: document.activeElement.outerHTML.slice(0, 120) };
    });
    assert.ok(at.isSeen, `nothing shows that the focus is on ${at.what}`);
    if (await page.evaluate(isThere)) return count;
  }
  throw new Error(`not reached with ${most} Tabs on ${path(page)}`);
}

await test("with the keyboard: to the content, through rows, to other pages", async () => {
  await as("jonas", async (page) => {
    await page.goto("/accounts");
    await press(page, "Tab");
    assert.equal(await focused(page, () => document.activeElement.className), "skip");
    assert.ok(await page.locator(".skip").evaluate((link) => link.getBoundingClientRect().left >= 0), "the skip link is seen");
    await press(page, "Enter");
    assert.equal(await focused(page, () => document.activeElement.id), "main");
    await press(page, "Tab");
    assert.ok(await focused(page, () => document.activeElement.closest("main") !== null && document.activeElement.id !== "main"));
    await page.goto("/accounts");
    await tab(page, () => document.activeElement.closest("main") !== null);
    await page.goto("/accounts");
    await press(page, "j", "j", "j", "k");
    assert.equal(await focused(page, () => document.activeElement.closest("tr")?.rowIndex), 2);
    const account = await focused(page, () => document.activeElement.innerText);
    await press(page, "Enter");
    await page.waitForURL("**/accounts/*");
    await says(page, `Account ${account}`);
    await press(page, "g", "a");
    await page.waitForURL("**/accounts");
    await press(page, "/");
    assert.equal(await focused(page, () => document.activeElement.id), "q");
    await page.keyboard.type("gc?j");
    assert.equal(await page.locator("#q").inputValue(), "gc?j", "letters that are typed are no commands");
    for (const [letter, to] of Object.entries({ o: "/", c: "/campaigns", k: "/keys", r: "/responses", p: "/policies", t: "/audit" })) {
      await page.goto("/accounts");
      await press(page, "g", letter);
      await page.waitForURL(`${base}${to}`);
    }
    await press(page, "?");
    assert.ok(await page.getByRole("dialog", { name: "Keyboard" }).isVisible());
    await press(page, "Escape");
    assert.equal(await page.getByRole("dialog").count(), 0);
  });
});

await test("with the keyboard: what has the focus is not hidden under the bar", async () => {
  await as("jonas", async (page) => {
    await page.goto("/accounts");
    for (let count = 0; count < 45; count += 1) await press(page, "j");
    for (let count = 0; count < 35; count += 1) await press(page, "k");
    const hidden = () => page.evaluate(() => {
      const bar = document.querySelector("header.bar").getBoundingClientRect();
      const at = document.activeElement.getBoundingClientRect();
      return Math.max(0, Math.round(Math.min(bar.bottom, at.bottom) - at.top));
    });
    assert.equal(await hidden(), 0, "pixels of the row's link that are hidden, by k");
    for (let count = 0; count < 45; count += 1) await press(page, "j");
    for (let count = 0; count < 50; count += 1) await press(page, "Shift+Tab");
    assert.equal(await hidden(), 0, "pixels of the link that are hidden, by Shift+Tab");
  });
});

await test("with the keyboard: responding and undoing", async () => {
  await as("jonas", async (page) => {
    await page.goto(`/accounts/${members[4]}`);
    await tab(page, () => document.activeElement.matches("main details.act summary"));
    await press(page, "Enter");
    await tab(page, () => document.activeElement.matches("input[name=rung]"));
    await press(page, "Space", "ArrowDown");
    await tab(page, () => document.activeElement.matches("textarea[name=reason]"));
    await page.keyboard.type("without a mouse");
    await tab(page, () => document.activeElement.matches("form.respond button"));
    await Promise.all([page.waitForNavigation(), press(page, "Enter")]);
    await says(page, "without a mouse");
    await tab(page, () => document.activeElement.matches("form[action$='/undo'] textarea"));
    await page.keyboard.type("without a mouse either");
    await tab(page, () => document.activeElement.matches("form[action$='/undo'] button"));
    await Promise.all([page.waitForNavigation(), press(page, "Enter")]);
    await says(page, "by jonas: without a mouse either");
  });
});

await test("without scripts: signing in, responding, undoing", async () => {
  const page = await (await context({ javaScriptEnabled: false })).newPage();
  await page.goto(`/accounts/${members[5]}`);
  assert.equal((await fillSignIn(page, "jonas", people.jonas.password)).status(), 200);
  await says(page, `Account ${members[5]}`);
  await page.getByText("Do something about it").click();
  const form = page.locator("form.respond");
  await form.locator("input[value=share_budget]").check();
  await form.locator("[name=amount]").fill("77");
  await form.locator("[name=reason]").fill("without scripts");
  assert.equal((await send(page, form.getByRole("button", { name: "Do it" }))).status(), 200);
  await says(page, "77 requests per day");
  await says(page, "Done: 1 account from now on");
  await undo(page, "without scripts either");
  await says(page, "Undone: it holds for nobody any more.");
  await page.context().close();
});

// What goes wrong is told on a page.

await test("an address that leads nowhere is told on a page", async () => {
  await as("maria", async (page) => {
    const problems = [];
    for (const to of ["/audit/abc", "/audit/-1", "/audit/999999999", "/audit/abc/receipt", "/responses/abc", "/responses/rsp_000000000000", "/campaigns/abc", "/accounts/abc", "/accounts/%FF", "/campaigns/%FF", "/accounts?q=%FF"]) {
      const answer = await page.goto(to);
      const isPage = await page.locator("header.bar").count() === 1 && await page.locator("h1").count() === 1;
      if (answer.status() === 200 ? to !== "/accounts?q=%FF" : !(answer.status() >= 400 && answer.status() < 500)) problems.push(`${to}: ${answer.status()}`);
      if (!isPage) problems.push(`${to}: ${answer.status()} is no page, but ${JSON.stringify((await answer.text()).slice(0, 80))}`);
    }
    assert.deepEqual(problems, []);
  });
}, { expected: [/status of 4\d\d /] });

await test("an address where a form led can be opened again", async () => {
  const problems = [];
  const again = (what, at, act) => as("maria", async (page) => {
    await page.goto(at);
    await act(page);
    const to = path(page);
    // As from the address line, or from a bookmark. An answer with nothing in it is an error of the browser's own.
    const told = await page.goto(to).then((answer) => answer.status(), (error) => error.message.split("\n")[0]);
    if (told !== 200) problems.push(`${what}, ${to}: ${told}`);
  });
  await again("a key that was made", `/accounts/${members[8]}`, async (page) => {
    await page.getByLabel("Name of a new key").fill("opened again");
    await send(page, page.getByRole("button", { name: "Make a key" }));
  });
  await again("a password that was made", "/people", (page) => send(page, page.locator("form[action='/people/eva']").getByRole("button", { name: "Another password" })));
  await again("policies that were checked", "/policies", (page) => send(page, page.getByRole("button", { name: /^Check/ })));
  assert.deepEqual(problems, []);
}, { expected: [/status of 405 /] });

await test("a page that shows what was made follows changes like any other", async () => {
  await as("maria", async (page) => {
    await page.goto("/people");
    await send(page, page.locator("form[action='/people/eva']").getByRole("button", { name: "Another password" }));
    await page.locator("#live.on").waitFor();
    await as("maria", async (other) => {
      await other.goto("/people");
      const row = other.locator("form[action='/people/eva']");
      await row.getByLabel("role of eva").selectOption("analyst");
      await send(other, row.getByRole("button", { name: "Give this role" }));
    });
    await page.locator("#table-people tr", { hasText: "eva" }).filter({ hasText: "analyst" }).waitFor({ timeout: LIVE_MS_MAX });
    assert.equal(await page.locator(".secret").count(), 1, "the password is still shown");
  });
});

await test("what somebody else undid meanwhile is told", async () => {
  await as("jonas", async (page) => {
    await page.goto(`/accounts/${members[8]}`);
    await respond(page, "observe", "undone twice");
    const to = page.url();
    await page.locator("form[action$='/undo'] [name=reason]").fill("I undo it");
    await as("maria", async (other) => { await other.goto(to); await undo(other, "I did before"); });
    const answer = await send(page, page.getByRole("button", { name: "Undo" }));
    assert.ok(answer.status() < 500, `${answer.status()}`);
    await page.goto(to);
    await says(page, "by maria: I did before");
  });
}, { expected: [/status of 4\d\d /] });

await test("a form that is sent after the session ended does nothing, and says so", async () => {
  const ended = await context();
  const page = await ended.newPage();
  await page.goto(`/accounts/${members[8]}`);
  await fillSignIn(page, "jonas", people.jonas.password);
  await page.getByText("Do something about it").click();
  await page.locator("form.respond input[value=observe]").check();
  await page.locator("form.respond [name=reason]").fill("sent too late");
  await ended.clearCookies();
  const answer = await send(page, page.locator("form.respond button"));
  assert.equal(answer.status(), 401);
  await says(page, /nothing was done/);
  await says(page, /[Ss]ign in/);
  await page.getByRole("link").first().click();
  await page.waitForURL("**/sign-in**");
  await as("jonas", async (other) => {
    await other.goto("/responses");
    assert.ok(!(await main(other).innerText()).includes("sent too late"));
  });
  await ended.close();
}, { expected: [status(401)] });

// Every page as somebody sees it.

const VIEWS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  360: { viewport: { width: 360, height: 740 } },
  320: { viewport: { width: 320, height: 640 } },
};
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function overflow(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > clientWidth + 1);
    return [`${scrollWidth} px wide in ${clientWidth}`, ...wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 120))];
  });
}

/** Narrow tables put the name of the column before each value; here, names that are written over it. */
async function covered(page) {
  return page.evaluate(() => {
    const pen = document.createElement("canvas").getContext("2d");
    const labels = [...document.querySelectorAll("td[data-label]")].filter((cell) => {
      const { position, font } = getComputedStyle(cell, "::before");
      if (position !== "absolute" || cell.innerText.trim() === "") return false;
      pen.font = font;
      return pen.measureText(cell.dataset.label).width > parseFloat(getComputedStyle(cell).paddingLeft);
    }).map((cell) => cell.dataset.label);
    return [...new Set(labels)].map((label) => `the name of the column "${label}" is written over its values`);
  });
}

async function axe(page) {
  // As the browser's own tools do it: the page's policy lets no script in otherwise.
  await page.evaluate(axeSource);
  const found = await page.evaluate(async (tags) => (await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } })).violations, AXE_TAGS);
  return found.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map((node) => `${node.target.join(" ")} (${node.failureSummary.split("\n")[1]?.trim()})`).join("; ")}${nodes.length > 4 ? ` and ${nodes.length - 4} more` : ""}`);
}

/** What is wrong with the page as it is shown now, and with its forms open. */
async function faults(page) {
  const problems = [...await overflow(page)];
  await page.evaluate(() => { for (const one of document.querySelectorAll("main details")) one.open = true; });
  for (const problem of [...await overflow(page), ...await covered(page), ...await axe(page)]) if (!problems.includes(problem)) problems.push(problem);
  return problems;
}

async function look(page, name, to, code) {
  const answer = await page.goto(to);
  assert.equal(answer.status(), code, to);
  const { length } = await answer.body();
  assert.ok(length <= PAGE_BYTES_MAX, `${length} bytes of HTML, more than ${PAGE_BYTES_MAX}`);
  if (args.shots) await page.screenshot({ path: `${args.shots}/${name}.png`, fullPage: true });
  assert.deepEqual(await faults(page), []);
}

// Something of each kind, so that no page is empty.
await test("the pages have something to show", async () => {
  await as("jonas", async (page) => {
    await page.goto(`/accounts/${members[6]}`);
    await page.getByLabel("Name of a new key").fill("a key for a look");
    await send(page, page.getByRole("button", { name: "Make a key" }));
    await says(page, "kept nowhere");
    await page.goto(CAMPAIGN);
    await respond(page, "block", "they take the model");
    await page.goto(`/accounts/${members[6]}`);
    await respond(page, "shield", "it asks what the others ask");
  });
  await as("lena", async (page) => {
    await page.goto(`/accounts/${members[6]}`);
    await page.getByText("Enter an appeal").click();
    await page.getByLabel("What it says").fill("We are a school.");
    await send(page, page.getByRole("button", { name: "Enter it" }));
    await page.goto(CAMPAIGN);
    await page.getByText("Open a case about it").click();
    await send(page, page.getByRole("button", { name: "Open it" }));
  });
}, { always: true });

await test("whoever comes back is told what changed", async () => {
  const page = await (await context()).newPage();
  await page.goto("/sign-in");
  await fillSignIn(page, "oskar", people.oskar.password);
  await says(page, "Since you were last here");
  await page.context().close();
});

await test("the API is tried on its page", async () => {
  await as("maria", async (page) => {
    await page.goto("/api");
    const status = page.locator("#get_status");
    await status.locator("summary").click();
    await status.getByRole("button", { name: "Send" }).click();
    await says(page, "The admin credential is needed");
    await page.getByLabel("Admin credential").fill(readFileSync(ready.admin_key_file, "utf8").trim());
    await status.getByRole("button", { name: "Send" }).click();
    await status.locator(".answer").getByText(/^200 /).waitFor();
    assert.equal(JSON.parse(await status.locator("pre").innerText()).ready, true);
    const one = page.locator("#get_accounts_id");
    await one.locator("summary").click();
    await one.getByLabel("id").fill("nobody/like that");
    await one.getByRole("button", { name: "Send" }).click();
    await one.locator(".answer").getByText(/^400 /).waitFor();
    assert.deepEqual(await faults(page), []);
  });
}, { expected: [status(400)] });

/** Name, address, status, and who looks (nobody where it is left out). */
async function pages() {
  return as("maria", async (page) => {
    const named = (await placesOf(page)).map((to) => [to === "/" ? "overview" : to.slice(1), to, 200, "maria"]);
    const first = async (to, selector) => {
      await page.goto(to);
      const links = page.locator(selector);
      return await links.count() ? links.first().getAttribute("href") : null;
    };
    const single = [
      ["campaign", CAMPAIGN],
      ["graph", `${CAMPAIGN}/graph`],
      ["account", `/accounts/${members[6]}`],
      ["response-that-waits", await first("/responses", "#table-responses tr:has(.alarm) th a")],
      ["response", await first("/responses", "#table-responses tr:has(.calm) th a")],
      ["cluster", await first("/clusters", "tbody th a")],
      ["exchange", await first("/exchanges", "tbody th a")],
      ["case", await first("/cases", "tbody th a")],
      ["entry", await first("/audit", "#table-audit th a")],
      ["password", "/password"],
      ["api", "/api"],
      ["organisations", "/organisations"],
      ["hunt", "/hunts/hnt_1"],
      ["views", "/views"],
      ["passkeys", "/passkeys"],
    ].filter(([, to]) => to).map(([name, to]) => [name, to, 200, "maria"]);
    return [
      ...named, ...single,
      ["nothing-found", "/accounts?q=nobody+is+called+this", 200, "maria"],
      ["not-there", "/nowhere", 404, "maria"],
      ["no-such-campaign", "/campaigns/cmp_999", 404, "maria"],
      ["not-for-you", "/people", 403, "oskar"],
      ["campaign-as-viewer", CAMPAIGN, 200, "oskar"],
      ["sign-in", "/sign-in", 200],
    ];
  });
}

let all = [];
await test("the pages are found", async () => { all = await pages(); }, { expected: [status(404)], always: true });
for (const [view, options] of Object.entries(VIEWS)) {
  const contexts = {};
  for (const name of ["maria", "oskar"]) contexts[name] = await context({ ...options, storageState: await people[name].context.storageState() });
  contexts.nobody = await context(options);
  for (const [name, to, code, who = "nobody"] of all) {
    await test(`page ${name}, ${view}`, async () => {
      const page = await contexts[who].newPage();
      try { await look(page, `${name}-${view}`, to, code); } finally { await page.close(); }
    }, { expected: code === 200 ? [] : [status(code)] });
  }
  await test(`menu, keyboard help and a refused sign-in, ${view}`, async () => {
    const page = await contexts.maria.newPage();
    await page.goto("/");
    await page.locator(".who summary").click();
    assert.deepEqual(await faults(page), []);
    await page.getByRole("button", { name: "Keyboard" }).click();
    assert.deepEqual(await faults(page), []);
    await page.close();
    const outside = await contexts.nobody.newPage();
    await outside.goto("/sign-in");
    await fillSignIn(outside, `clumsy ${view}`, "not the right one");
    assert.deepEqual(await faults(outside), []);
    await outside.close();
  }, { expected: [status(401)] });
  for (const one of Object.values(contexts)) await one.close();
}

// Values that want to be something else than text.

const SCRIPT = "<script>window.hit = 1; alert(1)</script>";
const PICTURE = `"><img src=x onerror="window.hit = 1; alert(1)">`;
const CONTROL = "begin\u0001\u0007\u001b[31m\u202etxt.exe\u2066\u2067end";
const FORMULA = "=cmd|' /C calc'!A0";
const HOSTILE = [SCRIPT, PICTURE, "'-alert(1)-'", "</textarea></title><svg onload=alert(1)>", CONTROL, FORMULA];

/** Puts down as noise what of the hostile values became part of the page, or is shown so that it changes what stands beside it. */
async function harmless(page) {
  const found = await page.evaluate(() => {
    const told = [];
    if (globalThis.hit) told.push("a script ran");
    for (const one of document.querySelectorAll("script:not([src]), img, iframe, [onerror], [onload], [onclick], a[href^='javascript:' i]")) told.push(`an element: ${one.outerHTML.slice(0, 100)}`);
    const text = document.body.innerText;
    const odd = [...new Set(text.match(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g))].sort();
    if (odd.length) {
      const codes = odd.map((one) => `U+${one.codePointAt(0).toString(16).padStart(4, "0")}`);
      told.push(`control characters ${codes.join(", ")} after ${JSON.stringify(text.slice(Math.max(0, text.indexOf("begin") - 30), text.indexOf("begin") + 5))}`);
    }
    return told;
  });
  const where = path(page).replace(/^\/responses\/rsp_\w+/, "/responses/{id}");
  for (const told of found.map((one) => `${where}: ${one}`)) if (!noise.includes(told)) noise.push(told);
}

const target = () => `/accounts/${members[7]}`;
const hostileResponses = [];
await test("hostile names of keys", async () => {
  await as("jonas", async (page) => {
    for (const value of HOSTILE) {
      await page.goto(target());
      await page.getByLabel("Name of a new key").fill(value);
      assert.equal((await send(page, page.getByRole("button", { name: "Make a key" }))).status(), 200);
      await harmless(page);
    }
    await page.goto("/keys?q=script");
    await says(page, SCRIPT);
    await harmless(page);
    await page.goto(target());
    await says(page, PICTURE);
    await harmless(page);
    const csv = await page.request.get(`${target()}?table=keys&as=csv`).then((answer) => answer.text());
    assert.ok(csv.includes("'=cmd|") && !/(^|,)"?=cmd/m.test(csv), "a spreadsheet takes no cell for a formula");
  });
});

await test("hostile reasons of responses", async () => {
  await as("jonas", async (page) => {
    for (const value of HOSTILE) {
      await page.goto(target());
      assert.equal((await respond(page, "observe", value, { shadow: true })).status(), 200);
      hostileResponses.push(page.url());
      await harmless(page);
      await undo(page, value);
      await harmless(page);
    }
    await says(page, FORMULA);
    for (const to of ["/responses", target()]) {
      await page.goto(to);
      await says(page, SCRIPT);
      await harmless(page);
    }
  });
});

await test("hostile appeals and decisions", async () => {
  for (const value of HOSTILE) {
    await as("lena", async (page) => {
      await page.goto(target());
      await page.getByText("Enter an appeal").click();
      await page.getByLabel("What it says").fill(value);
      assert.equal((await send(page, page.getByRole("button", { name: "Enter it" }))).status(), 200);
      await harmless(page);
    });
    await as("jonas", async (page) => {
      await page.goto(target());
      await page.locator("form[action^='/appeals/'] input[value=reject]").check();
      await page.locator("form[action^='/appeals/'] [name=reason]").fill(value);
      await send(page, page.getByRole("button", { name: "Decide" }));
      await harmless(page);
    });
  }
});

await test("hostile values in the audit trail", async () => {
  await as("oskar", async (page) => {
    await page.goto("/audit?q=script");
    await says(page, SCRIPT);
    await harmless(page);
    await page.goto("/audit");
    await harmless(page);
    const entries = await page.locator("#table-audit th a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    for (const entry of entries.slice(0, 16)) {
      await page.goto(entry);
      await harmless(page);
    }
  });
});

await test("hostile addresses, names and policies", async () => {
  await as("maria", async (page) => {
    for (const value of HOSTILE) {
      const part = encodeURIComponent(value);
      for (const to of [`/accounts?q=${part}&only=${part}`, `/keys?q=${part}`, `/audit?q=${part}&kind=${part}`, `/nowhere/${part}`, `/accounts/${part}`, `/campaigns/${part}`, `/responses/${part}`, `/audit/${part}`]) {
        const answer = await page.goto(to);
        assert.ok(answer.status() < 500, `${to}: ${answer.status()}`);
        await harmless(page);
      }
      await page.goto("/policies");
      await page.locator("#text").fill(`// ${value}\nnot a policy`);
      await send(page, page.getByRole("button", { name: /^Check/ }));
      assert.equal(await page.locator("#text").inputValue().then((text) => text.includes(value)), true, "a draft comes back as it was");
      await harmless(page);
      await page.goto("/people");
      await page.getByLabel("Name").fill(value);
      const refused = (await send(page, page.getByRole("button", { name: "Let them in" }))).status();
      assert.equal(refused, 400, `a person called ${JSON.stringify(value)}`);
      await harmless(page);
    }
  });
  const page = await (await context()).newPage();
  for (const value of HOSTILE) {
    await page.goto(`/sign-in?next=${encodeURIComponent(value)}`);
    await fillSignIn(page, value, value);
    await harmless(page);
  }
  for (const next of ["javascript:alert(1)", "//elsewhere.invalid/", "/\\elsewhere.invalid/", "https://elsewhere.invalid/", "/\t/elsewhere.invalid/"]) {
    await page.context().clearCookies();
    await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    await fillSignIn(page, "jonas", people.jonas.password);
    assert.equal(page.url(), `${base}/`, `next=${next}`);
  }
  await page.context().close();
}, { expected: [/^Failed to load .* status of 4\d\d /] });

await test("a reason of 1000 bytes is taken, one of 1001 is refused", async () => {
  await as("jonas", async (page) => {
    const taken = async () => (await page.request.get("/responses?table=responses&as=json").then((answer) => answer.json())).responses.length;
    const before = await taken();
    const freely = async (reason) => {
      await page.goto(target());
      await page.evaluate(() => { for (const one of document.querySelectorAll("[maxlength]")) one.removeAttribute("maxlength"); });
      return respond(page, "observe", reason, { shadow: true });
    };
    for (const reason of ["x".repeat(1_001), "ä".repeat(501)]) {
      assert.equal((await freely(reason)).status(), 400);
      await says(page, /1 to 1000 bytes/);
    }
    assert.equal((await freely("   ")).status(), 400);
    assert.equal(await taken(), before);
    assert.equal((await freely("W".repeat(1_000))).status(), 200);
    hostileResponses.push(page.url());
    assert.equal(await taken(), before + 1);
  });
}, { expected: [status(400)] });

await test("a form over the limit is refused with 413, on a page", async () => {
  await as("jonas", async (page) => {
    for (const length of [FORM_BYTES_MAX + 1, 4 * 1024 * 1024]) {
      await page.goto(target());
      await page.evaluate(() => { for (const one of document.querySelectorAll("[maxlength]")) one.removeAttribute("maxlength"); });
      const answer = await respond(page, "observe", "x".repeat(length));
      assert.equal(answer?.status(), 413, `${length} bytes`);
      await says(page, "expected a form of at most");
    }
  });
}, { expected: [status(413)] });

for (const [view, options] of Object.entries(VIEWS)) {
  await test(`pages with hostile and long values, ${view}`, async () => {
    const looking = await context({ ...options, storageState: await people.maria.context.storageState() });
    const page = await looking.newPage();
    const problems = [];
    for (const to of [target(), "/keys", "/responses", hostileResponses.at(-1), "/audit"].filter(Boolean)) {
      await page.goto(to);
      await harmless(page);
      problems.push(...(await faults(page)).map((problem) => `${new URL(page.url()).pathname}: ${problem}`));
    }
    await looking.close();
    assert.deepEqual(problems, []);
  });
}

await browser.close();
if (failures.length) console.log(`\nfailed:\n${failures.map((name) => `  ${name}`).join("\n")}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length ? 1 : 0;
