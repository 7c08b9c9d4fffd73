// A NOC member at two in the morning: a switch says that a link is down; the page tells it, in both languages, it is found in
// the log, taken and silenced by who has the key, and by nobody else.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const program = process.env.HOTSTAGE_BIN ?? join(root, "target/release/hotstage");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const missing = !existsSync(program)
  ? `${program} is not there: run cargo build --release`
  : !executablePath
    ? "no Chromium is installed"
    : false;

const screens = { phone: { width: 500, height: 900 }, hall: { width: 1920, height: 1080 } };
const words = {
  en: { says: "the link of sw-1f-1:Gi0/12 to sw-core is down, says its log", todo: "look at the lamps", taken: "taken by Aki" },
  ja: { says: "sw-1f-1:Gi0/12 から sw-core へのリンクがダウンしました", todo: "ケーブルを交換する", taken: "対応中: Aki" },
};

let browser, services, ended, link, base, dir, state, syslog;

const send = (line) =>
  new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.send(Buffer.from(line), Number(syslog[2]), syslog[1], (error) => {
      socket.close();
      error ? reject(error) : resolve();
    });
  });

before(async () => {
  if (missing) return;
  dir = mkdtempSync(join(tmpdir(), "hotstage-alerts-"));
  state = join(dir, "state");
  const listen = ["dhcp", "dns", "syslog", "http"].flatMap((service) => [`--listen-${service}`, "127.0.0.1:0"]);
  const plan = join(root, "examples/pyconjp-2019");
  services = spawn(program, ["run", plan, "--state", state, "--set", "services.watch.ping=false", ...listen], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  ended = new Promise((resolve) => services.on("close", resolve));
  const ready = await new Promise((resolve, reject) => {
    ended.then((code) => reject(new Error(`the services ended with ${code}`)));
    createInterface({ input: services.stdout }).on("line", (line) => line.startsWith("ready ") && resolve(line));
  });
  syslog = ready.match(/syslog=([0-9.]+):([0-9]+)/);
  base = `http://${ready.match(/http=([0-9.:]+)/)[1]}`;
  link = execFileSync(program, ["logs", "--state", state, "--page"], { encoding: "utf8" }).trim();
  await send("<187>1 - sw-1f-1 %LINK-3-UPDOWN - - - Interface GigabitEthernet0/12, changed state to down");
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"],
  });
});

after(async () => {
  await browser?.close();
  services?.kill("SIGTERM");
  await ended;
  if (dir) rmSync(dir, { recursive: true, force: true });
});

async function open(url, viewport) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  const wrong = [];
  page.on("request", (request) => new URL(request.url()).hostname !== "127.0.0.1" && wrong.push(request.url()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  await page.goto(url);
  return { page, wrong, close: () => context.close() };
}

async function picture(page, name) {
  const folder = process.env.HOTSTAGE_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function assertFits(page) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= screen, `the page is ${content} px wide on a screen of ${screen} px`);
}

const card = (page) => page.locator(".alerts li", { hasText: "sw-1f-1" });

for (const [screen, viewport] of Object.entries(screens)) {
  for (const [lang, word] of Object.entries(words)) {
    test(`an alert from a log line on a ${screen} in ${lang}`, { skip: missing, timeout: 120_000 }, async () => {
      const { page, wrong, close } = await open(`${base}/?lang=${lang}`, viewport);
      await card(page).waitFor({ timeout: 30_000 });
      const text = await card(page).innerText();
      for (const part of [word.says, word.todo, "sw-1f-1:Gi0/12"]) assert.ok(text.includes(part), `${part} in ${text}`);
      if (lang === "ja") assert.ok(!/[a-z]{3,} [a-z]{3,} [a-z]{3,}/.test(text), `English on the Japanese page: ${text}`);
      assert.equal(await page.locator("button.handle").count(), 0, "who has no key has no button");
      await assertFits(page);

      await page.goto(`${link}&to=page`);
      assert.equal(page.url(), `${base}/`, "back on the page, the key out of the address");
      await page.goto(`${base}/?lang=${lang}`);
      await card(page).scrollIntoViewIfNeeded();
      await picture(page, `alerts-${screen}-${lang}`);
      await card(page).locator("button.handle").click();
      const dialog = page.locator("dialog");
      assert.ok((await dialog.innerText()).includes(word.says), "the dialog says which");
      await page.locator("#handling-take").click();
      assert.notEqual(await page.locator("#handling-failed").innerText(), "", "a name is asked for");
      await assertFits(page);
      await picture(page, `alerts-dialog-${screen}-${lang}`);
      await page.locator("#handling-by").fill("Aki");
      await page.locator("#handling-take").click();
      await dialog.waitFor({ state: "hidden" });
      await card(page).locator(".handling", { hasText: word.taken }).waitFor({ timeout: 15_000 });
      assert.equal(await card(page).getAttribute("data-loud"), null, "what is taken makes no sound");

      await page.goto(`${base}/logs?lang=${lang}&device=sw-1f-1&kind=link`);
      assert.equal(await page.locator("#rows tbody tr").count(), 1, "the line it came from");
      assert.deepEqual(wrong, []);
      await close();
    });
  }
}

test("a silence names what it is for, and the incident log has who did what", { skip: missing, timeout: 60_000 }, async () => {
  const { page, wrong, close } = await open(`${link}&to=page`, screens.phone);
  await page.goto(`${base}/?lang=en`);
  await card(page).locator("button.handle").click();
  await page.locator("#handling-by").fill("Ben");
  await page.locator("#handling-of").selectOption("device");
  await page.locator("#handling-silence").click();
  await card(page).locator(".handling", { hasText: "silenced until" }).waitFor({ timeout: 15_000 });
  const incidents = execFileSync(program, ["incidents", "--state", state], { encoding: "utf8" });
  for (const part of ["Aki took alert #", "Ben silenced the alerts of device sw-1f-1 until", words.en.says])
    assert.ok(incidents.includes(part), `${part} in ${incidents}`);
  assert.deepEqual(wrong, []);
  await close();
});

test("without the key, from another page or with nonsense nothing is taken", { skip: missing }, async () => {
  const key = new URL(link).searchParams.get("key");
  const post = async (headers, body) =>
    (await fetch(`${base}/alerts/handle`, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body })).status;
  const take = JSON.stringify({ take: { id: 1, by: "Eve" } });
  const cookie = { Cookie: `hotstage_noc=${key}` };
  const bearer = { Authorization: `Bearer ${key}` };
  assert.equal(await post({}, take), 401);
  assert.equal(await post({ Cookie: "hotstage_noc=0123456789abcdef0123456789abcdef", Origin: base }, take), 401);
  assert.equal(await post(cookie, take), 403, "no origin");
  assert.equal(await post({ ...cookie, Origin: "http://evil.example" }, take), 403);
  assert.equal(await post({ ...cookie, Origin: base, "Content-Type": "text/plain" }, take), 403);
  assert.equal(await post(bearer, "{}"), 400);
  assert.equal(await post(bearer, JSON.stringify({ take: { id: 4711, by: "Eve" } })), 409);
  assert.equal(await post(bearer, JSON.stringify({ take: { id: 1, by: " " } })), 409);
  assert.equal(await post(bearer, JSON.stringify({ silence: { seconds: 60, by: "Eve" } })), 409, "everything cannot be silenced");
  assert.equal(await post(bearer, `"${"x".repeat(10_000)}"`), 413);
  assert.equal((await fetch(`${base}/alerts/handle`)).status, 405);
  const incidents = execFileSync(program, ["incidents", "--state", state], { encoding: "utf8" });
  assert.ok(!incidents.includes("Eve"), incidents);
});
