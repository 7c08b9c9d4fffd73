//! The state directory's disk, filled by somebody else to the last block and to the last inode: it is said before log
//! lines are refused, the oldest debug lines go first, leases go on, and what was said is kept.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Hotstage, output, program, ready};

use crate::load::Bench;

const LIMIT: Duration = Duration::from_secs(60);

/// A small ext4 file system in a file; gone when dropped.
struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    /// Where loop devices cannot be had, what `mount` said.
    fn new(dir: &Path) -> Result<Self, String> {
        let (image, mount) = (dir.join("disk.img"), dir.join("disk"));
        fs::create_dir(&mount).unwrap();
        fs::File::create(&image).unwrap().set_len(192 << 20).unwrap();
        let (image, path) = (image.display().to_string(), mount.display().to_string());
        output("mkfs.ext4", &["-q", "-m", "0", "-N", "1024", &image]);
        let mounted = Command::new("mount").args(["-o", "loop", &image, &path]).output().unwrap();
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).into_owned());
        }
        Ok(Self { mount })
    }

    fn state(&self) -> PathBuf {
        self.mount.join("state")
    }

    /// Free octets and inodes.
    fn free(&self) -> (u64, u64) {
        let text = output("stat", &["-f", "-c", "%a %S %d", &self.mount.display().to_string()]);
        let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        (numbers[0] * numbers[1], numbers[2])
    }

    /// Takes all octets but so many.
    fn fill(&self, name: &str, but: u64) {
        let mut file = fs::File::create(self.mount.join(name)).unwrap();
        for chunk in [1 << 20, 1 << 12, 1 << 9] {
            while self.free().0 >= but + chunk as u64 {
                if file.write_all(&vec![7; chunk]).and_then(|()| file.sync_data()).is_err() {
                    break;
                }
            }
        }
        // To the last block, if that is asked.
        while but == 0 && file.write_all(&[7; 512]).is_ok() {}
    }

    /// Takes all inodes but so many.
    fn fill_inodes(&self, but: u64) {
        let dir = self.mount.join("many");
        fs::create_dir_all(&dir).unwrap();
        for number in 0..self.free().1.saturating_sub(but) {
            if fs::File::create(dir.join(format!("{but}-{number}"))).is_err() {
                return;
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.mount).status();
    }
}

/// Has `logger` send lines over TCP.
fn log(bench: &Bench, severity: &str, count: usize) {
    let file = bench.file("lines");
    let lines: String = (0..count).map(|number| format!("{severity} line {number}\n")).collect();
    fs::write(&file, lines).unwrap();
    let mut logger = bench.beside_server("logger");
    logger.args(["--tcp", "-n", "127.0.0.1", "-P", "514", "-p", &format!("user.{severity}"), "-f"]).arg(&file);
    assert!(logger.status().unwrap().success());
}

fn stored(state: &Path, text: &str) -> u64 {
    let arguments = ["logs", "--state", &state.display().to_string(), "--text", text, "--count"];
    output(&program().display().to_string(), &arguments).trim().parse().unwrap()
}

/// What the incident of this code says.
fn incident(state: &Path, code: &str) -> Option<String> {
    let arguments = ["incidents", "--state", &state.display().to_string(), "--format", "json"];
    let found: Vec<serde_json::Value> =
        serde_json::from_str(&output(&program().display().to_string(), &arguments)).unwrap();
    let found = found.iter().find(|incident| incident["code"] == code)?;
    Some(found["says"].as_str().unwrap().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a bound of waiting")]
fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn sealed(state: &Path, is_meant: impl Fn(&str) -> bool) -> usize {
    let names = fs::read_dir(state.join("telemetry/log")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| is_meant(&name.to_string_lossy())).count()
}

fn start(bench: &Bench) -> Hotstage {
    let mut command = bench.server_command();
    command.args(["--set", "services.telemetry=64MiB"]);
    Hotstage::start(&mut command)
}

/// Leases are given now.
fn leases_go_on(bench: &Bench, seed: u64) {
    let (process, mut acks) = bench.start_crowd(8, seed, Some(300));
    acks.wait_for("three hundred ACKs", LIMIT, |line| line == "acks 300");
    drop(process);
}

/// A bench whose state lies on a small disk, with sealed lines, debug lines among them.
fn bench_on(disk: &SmallDisk) -> Bench {
    let mut bench = Bench::new();
    bench.state = disk.state();
    let hotstage = start(&bench);
    log(&bench, "debug", 500);
    log(&bench, "notice", 500);
    eventually("lines are stored", || (stored(&bench.state, "line") == 1_000).then_some(()));
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    assert_eq!((sealed(&bench.state, |name| name.contains("debug")), sealed(&bench.state, |_| true)), (1, 2));
    bench
}

#[test]
fn a_disk_full_to_the_last_block_stops_debug_lines_first_and_leases_never() {
    let dir = tempfile::tempdir().unwrap();
    if !ready(true, &["kill", "ip", "mount", "umount", "mkfs.ext4", "stat", "logger"]) {
        return;
    }
    let disk = match SmallDisk::new(dir.path()) {
        Ok(disk) => disk,
        Err(says) => {
            eprintln!("skipped: this test needs a loop device: {says}");
            return;
        }
    };
    let bench = bench_on(&disk);
    let hotstage = start(&bench);
    // An eighth of the disk is the reserve; three quarters of that are left.
    disk.fill("filler", 17 << 20);
    let says = eventually("it is said", || incident(&bench.state, "log-store-short"));
    assert!(says.contains("MiB free") && says.contains("soon log lines are refused"), "{says}");
    eventually("debug lines go", || (sealed(&bench.state, |name| name.contains("debug")) == 0).then_some(()));
    assert_eq!(stored(&bench.state, "notice line"), 500, "other lines stay");
    log(&bench, "warning", 100);
    eventually("lines are still taken", || (stored(&bench.state, "warning line") == 100).then_some(()));
    assert_eq!(incident(&bench.state, "log-store-refusing"), None);

    disk.fill("filler2", 0);
    leases_go_on(&bench, 1);
    let says = eventually("it is said", || incident(&bench.state, "log-store-refusing"));
    assert!(says.contains("MiB free") && says.contains("log lines are refused"), "{says}");
    hotstage.process.signal("KILL");
    drop(hotstage);
    assert!(incident(&bench.state, "log-store-refusing").is_some(), "it is kept although the disk is full");
    fs::remove_file(disk.mount.join("filler")).unwrap();
    let hotstage = start(&bench);
    log(&bench, "error", 100);
    eventually("room again", || (stored(&bench.state, "error line") == 100).then_some(()));
    leases_go_on(&bench, 2);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[test]
fn a_disk_without_inodes_says_so_and_leases_go_on() {
    if !ready(true, &["kill", "ip", "mount", "umount", "mkfs.ext4", "stat", "logger"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::new(dir.path()) {
        Ok(disk) => disk,
        Err(says) => {
            eprintln!("skipped: this test needs a loop device: {says}");
            return;
        }
    };
    let bench = bench_on(&disk);
    let hotstage = start(&bench);
    disk.fill_inodes(100);
    let says = eventually("it is said", || incident(&bench.state, "log-store-short"));
    assert!(says.contains("inodes left"), "{says}");
    eventually("debug lines go", || (sealed(&bench.state, |name| name.contains("debug")) == 0).then_some(()));
    disk.fill_inodes(0);
    leases_go_on(&bench, 3);
    let says = eventually("it is said", || incident(&bench.state, "log-store-refusing"));
    assert!(says.contains("inodes left") && says.contains("refused"), "{says}");
    hotstage.process.signal("TERM");
    hotstage.process.wait(LIMIT);
}
