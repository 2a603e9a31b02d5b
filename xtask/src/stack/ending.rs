//! How a stack ends: part by part, in order, or at once.

use super::options::Shutdown;
use super::{DRAIN, Stack};
use crate::process::Process;
use rustix::process::Signal;

impl Stack {
    /// A sentence for each part that has ended since this was last asked.
    pub(crate) fn ended_parts(&mut self) -> Vec<String> {
        let replicas = self.replicas.iter_mut().enumerate();
        let replicas =
            replicas.map(|(index, slot)| (format!("Replica {}", index + 1), &mut slot.process));
        let nginx = ("NGINX".to_owned(), &mut self.nginx.process);
        let mut sentences = Vec::new();
        for (name, process) in replicas.chain([nginx]) {
            let Some(ended) = process.as_mut().and_then(Process::ended) else {
                continue;
            };
            let status = ended.map_or_else(String::new, |status| format!(" ({status})"));
            let log = process
                .take()
                .map(|process| process.log.display().to_string());
            sentences.push(format!(
                "{name} has ended{status}: {}",
                log.unwrap_or_default()
            ));
        }
        if self.postgres.has_ended() {
            let log = self.postgres.log().display();
            sentences.push(format!("PostgreSQL has ended: {log}"));
        }
        sentences
    }

    /// Lets go of the processes, which stay.
    pub(crate) fn leave_running(mut self) {
        self.postgres.detach();
        self.nginx.process = None;
        for slot in &mut self.replicas {
            slot.process = None;
        }
    }

    /// Stops everything in the order that loses nothing: NGINX answers what it has, replicas
    /// drain, PostgreSQL ends its sessions and writes a checkpoint.
    pub(crate) fn shut_down(&mut self) {
        self.stop_nginx();
        for slot in &self.replicas {
            if let Some(process) = &slot.process {
                process.signal(Signal::TERM);
            }
        }
        for replica in 0..self.replicas.len() {
            self.terminate_replica(replica);
        }
        self.postgres.stop(Shutdown::Fast);
    }
}

/// At once: whoever wanted an orderly end has had it.
impl Drop for Stack {
    fn drop(&mut self) {
        let replicas = self
            .replicas
            .iter_mut()
            .filter_map(|slot| slot.process.take());
        for mut process in self.nginx.process.take().into_iter().chain(replicas) {
            process.kill_group();
            process.wait(DRAIN);
        }
    }
}
