// The log view in headless Chromium: entrance, filters, following, surroundings; phone and laptop, English and Japanese.
// HOTSTAGE_BIN names the program (default: the release build); HOTSTAGE_SCREENSHOTS a folder to leave pictures in.
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

const screens = { phone: { width: 390, height: 844 }, laptop: { width: 1280, height: 900 } };
const words = {
  en: { search: "Search", follow: "Follow", none: "No line is like that.", severity: "error", kind: "links up and down" },
  ja: { search: "検索", follow: "自動更新", none: "該当するログはありません。", severity: "エラー", kind: "リンクの上下" },
};

let browser, services, ended, link, base, dir, syslog;

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
  dir = mkdtempSync(join(tmpdir(), "hotstage-logs-"));
  const listen = ["dhcp", "dns", "syslog", "http"].flatMap((service) => [`--listen-${service}`, "127.0.0.1:0"]);
  const state = join(dir, "state");
  services = spawn(program, ["run", join(root, "examples/pyconjp-2019"), "--state", state, ...listen], {
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
  for (let number = 0; number < 250; number += 1) {
    await send(`<190>1 - ap-7 hostapd - - - wlan0: STA 02:00:5e:10:00:01 IEEE 802.11: associated (aid ${number})`);
  }
  await send("<187>1 - sw-9 %LINK-3-UPDOWN - - - Interface Gi1/0/1, changed state to down");
  await send("<190>1 - sw-9 evil - - - <script>document.title='owned'</script>\u001b[2J\u202e <img src=x onerror=alert(1)>");
  await send(`<190>1 - sw-9 long - - - ${"w".repeat(6000)}`);
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
  page.on("dialog", (dialog) => wrong.push(dialog.message()));
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

const rows = (page) => page.locator("#rows tbody tr");

for (const [screen, viewport] of Object.entries(screens)) {
  for (const [lang, word] of Object.entries(words)) {
    test(`the log view on a ${screen} in ${lang}`, { skip: missing, timeout: 120_000 }, async () => {
      const { page, wrong, close } = await open(`${link}`, viewport);
      assert.equal(new URL(page.url()).search, "", "the key is out of the address");
      await page.goto(`${base}/logs?lang=${lang}`);
      assert.equal(await rows(page).count(), 200);
      await picture(page, `logs-${screen}-${lang}`);
      await page.goto(`${base}/logs?lang=${lang}&device=SW-9`);
      assert.equal(await rows(page).count(), 3);
      assert.match(await rows(page).first().innerText(), /w{20}/, "the newest is first");
      assert.ok((await rows(page).first().innerText()).length < 1_000, "a long line is cut");
      const text = await page.locator("#rows").innerText();
      assert.ok(text.includes("<script>document.title='owned'</script>\\u{1b}[2J\\u{202e} <img src=x"), "shown, not obeyed");
      await assertFits(page);
      await page.selectOption("select[name=kind]", "link");
      await page.getByRole("button", { name: word.search, exact: true }).click();
      assert.equal(await rows(page).count(), 1);
      for (const part of ["sw-9", word.severity, word.kind, "Gi1/0/1"]) assert.ok((await page.locator("#rows").innerText()).includes(part), part);

      await page.locator("#rows .time a").first().click();
      assert.equal(await rows(page).count(), 3, "the switch's own lines, nobody else's");
      assert.ok((await page.locator("tr.hit").innerText()).includes("Gi1/0/1"));
      assert.ok((await page.locator(".raw").innerText()).includes("<187>1"), "as received");
      await assertFits(page);
      await picture(page, `logs-around-${screen}-${lang}`);

      const marker = `fresh-${screen}-${lang}`;
      await page.goto(`${base}/logs?lang=${lang}&text=${marker}`);
      assert.ok((await page.locator("#rows").innerText()).includes(word.none));
      await page.getByLabel(word.follow).check();
      await send(`<190>1 - sw-8 test - - - ${marker}`);
      await page.waitForFunction((marker) => document.querySelector("#rows tbody")?.textContent.includes(marker), marker, { timeout: 20_000 });
      assert.deepEqual(wrong, []);
      await close();
    });
  }
}

test("older lines are a click away, and files hold what was asked for", { skip: missing }, async () => {
  const { page, wrong, close } = await open(link, screens.laptop);
  await page.goto(`${base}/logs?lang=en&device=ap-*`);
  assert.equal(await rows(page).count(), 200);
  await page.getByRole("link", { name: "Older" }).click();
  assert.equal(await rows(page).count(), 50);
  assert.ok((await page.locator("#rows").innerText()).includes("(aid 0)"));
  await page.goto(`${base}/logs?lang=en&device=sw-9&text=state`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
  assert.equal(download.suggestedFilename(), "hotstage-logs.csv");
  const csv = await (await download.createReadStream()).toArray();
  assert.equal(Buffer.concat(csv).toString().trim().split("\n").length, 2);
  assert.deepEqual(wrong, []);
  await close();
});

test("who has no key sees no line, on the log view or the public page", { skip: missing }, async () => {
  const { page, close } = await open(`${base}/logs?lang=ja`, screens.phone);
  assert.equal(await rows(page).count(), 0);
  await page.locator("input[name=key]").fill("0123456789abcdef0123456789abcdef");
  await page.getByRole("button", { name: "入る" }).click();
  assert.ok((await page.locator("body").innerText()).includes("鍵が違います。"));
  await assertFits(page);
  await picture(page, "logs-entrance-phone-ja");
  await page.goto(base);
  assert.ok(!(await page.content()).includes("Gi1/0/1"));
  await close();
});
