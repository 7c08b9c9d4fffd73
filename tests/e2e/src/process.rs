use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// Runs a program to its end and gives its stdout.
///
/// # Panics
/// When it cannot be started or fails; says what it printed.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let result = Command::new(program).args(arguments).output();
    let result = result.unwrap_or_else(|error| panic!("`{program}` cannot be started: {error}"));
    assert!(
        result.status.success(),
        "`{program} {}` failed: {}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&result.stdout),
        String::from_utf8_lossy(&result.stderr)
    );
    String::from_utf8_lossy(&result.stdout).into_owned()
}

/// Runs a program to its end; fails the test when it fails.
pub fn run(program: &str, arguments: &[&str]) {
    output(program, arguments);
}

/// Lines that come from somewhere, each waited for with a limit.
pub struct Lines {
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// Lines of a reader, until it ends.
    pub fn of(reader: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { return };
                // Read on when nobody listens any more: a closed pipe would end the process.
                let _ = sender.send(line);
            }
        });
        Self { lines, seen: Vec::new() }
    }

    /// Lines written to a named pipe, which is made.
    pub fn of_pipe(path: &Path) -> Self {
        run("mkfifo", &[&path.display().to_string()]);
        // Open for both, so that the pipe does not end when one writer is done.
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path);
        Self::of(file.unwrap_or_else(|error| panic!("{} cannot be opened: {error}", path.display())))
    }

    /// All lines that nobody has waited for, once nothing more will come.
    pub fn rest(self) -> Vec<String> {
        self.lines.into_iter().collect()
    }

    /// The next line that `wanted` likes; earlier ones are passed over.
    ///
    /// # Panics
    /// When none comes in time; says which lines came.
    pub fn wait_for(&mut self, what: &str, limit: Duration, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            match self.lines.recv_timeout(limit) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(_) => panic!("no {what} within {limit:?}; what came was:\n{}", self.seen.join("\n")),
            }
        }
    }
}

/// A process of this test; ended, by its own id, when dropped.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it with stdout and stderr as lines.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> (Self, Lines, Lines) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let out = Lines::of(child.stdout.take().expect("stdout was piped above"));
        let errors = Lines::of(child.stderr.take().expect("stderr was piped above"));
        (Self { child }, out, errors)
    }

    /// Starts it with stdout as bytes, to be read by the caller, and stderr as lines.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn_bytes(command: &mut Command) -> (Self, ChildStdout, Lines) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let out = child.stdout.take().expect("stdout was piped above");
        let errors = Lines::of(child.stderr.take().expect("stderr was piped above"));
        (Self { child }, out, errors)
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// False once it has ended, by itself or by a signal.
    pub fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }

    /// Sends a signal by name, e.g. `USR1`.
    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
    }

    /// Waits for its end; its exit code, or `None` when a signal ended it.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub fn wait(mut self, limit: Duration) -> Option<i32> {
        let id = self.id();
        let (sender, done) = channel::<()>();
        let watcher = thread::spawn(move || {
            if done.recv_timeout(limit).is_err() {
                let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
                return true;
            }
            false
        });
        let status = self.child.wait().expect("the process was started by us");
        let _ = sender.send(());
        let overdue = watcher.join().unwrap_or(true);
        assert!(!overdue, "process {id} did not end within {limit:?}");
        status.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
