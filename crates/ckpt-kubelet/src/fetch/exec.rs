//! Commands in the helper pod.

use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::manifest::CONTAINER;
use crate::causes::innermost;
use crate::cluster::{api_error, soon};
use crate::error::Error;

/// Bytes between the connection and us.
const BUFFER: usize = 256 * 1024;

/// How long what is left of a stream that ended may take.
const SETTLE: Duration = Duration::from_secs(1);

/// Most of a command's error output that is kept, in bytes.
const MOST_TOLD: usize = 4096;

/// How a command in the pod can fail.
#[derive(Debug)]
pub(super) enum ExecError {
    /// The API server does not let us, or there is no way to it.
    Refused(Error),
    /// The stream broke, or nothing came for too long; the command may be given again.
    Broken(String),
    /// The command itself failed.
    Failed(String),
    /// What came could not be written here.
    Sink(std::io::Error),
}

/// Runs a command and hands what it prints to `sink`, without end. `idle` is how long nothing may come.
pub(super) async fn run(
    pods: &Api<Pod>,
    pod: &str,
    command: &[&str],
    idle: Duration,
    sink: &mut (dyn Write + Send),
) -> Result<(), ExecError> {
    let parameters = AttachParams::default()
        .container(CONTAINER)
        .stdin(false)
        .stdout(true)
        .stderr(true)
        .tty(false)
        .max_stdout_buf_size(BUFFER);
    let started = soon(pods.exec(pod, command.iter().copied(), &parameters)).await;
    let mut process =
        started.map_err(|error| match api_error("run a command in the helper", &error) {
            Error::Api { text, .. } if matches!(error, kube::Error::Api(_)) => {
                ExecError::Failed(text)
            }
            Error::Api { text, .. } => ExecError::Broken(text),
            other => ExecError::Refused(other),
        })?;
    let broken = || ExecError::Broken("the stream lacks a part".to_owned());
    let stdout = process.stdout().ok_or_else(broken)?;
    let stderr = process.stderr().ok_or_else(broken)?;
    let status = process.take_status().ok_or_else(broken)?;
    // Both are read at once: either of them, left full, would stop the other. A stream that breaks is not ended by kube, only
    // its status is; what still lies in the pipes then is taken along.
    let mut reading = pin!(async { tokio::try_join!(pump(stdout, idle, sink), words(stderr)) });
    let mut status = pin!(status);
    let (read, early) = tokio::select! {
        read = &mut reading => (Some(read), None),
        status = &mut status => match status {
            Some(status) => (Some(reading.await), Some(status)),
            None => (timeout(SETTLE, reading).await.ok(), None),
        },
    };
    let told = match read {
        Some(read) => read?.1,
        None => return Err(ExecError::Broken(ended(process).await)),
    };
    let status = match early {
        Some(status) => Some(status),
        None => timeout(SETTLE, status).await.ok().flatten(),
    };
    match status {
        Some(status) if status.status.as_deref() == Some("Success") => Ok(()),
        Some(status) => {
            let message = status.message.unwrap_or_default();
            Err(ExecError::Failed(if told.is_empty() { message } else { told }))
        }
        None => Err(ExecError::Broken(ended(process).await)),
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    idle: Duration,
    sink: &mut (dyn Write + Send),
) -> Result<(), ExecError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = timeout(idle, from.read(&mut buffer))
            .await
            .map_err(|_| ExecError::Broken(format!("nothing came for {} s", idle.as_secs())))?;
        let len = read.map_err(|error| ExecError::Broken(error.to_string()))?;
        let bytes = buffer.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        sink.write_all(bytes).map_err(ExecError::Sink)?;
    }
}

/// The beginning of what a command says of its failure.
async fn words(mut from: impl AsyncRead + Unpin) -> Result<String, ExecError> {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(len) = from.read(&mut buffer).await {
        let bytes = buffer.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        let room = MOST_TOLD.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&kept).trim().to_owned())
}

/// Why a stream ended without a status.
async fn ended(process: AttachedProcess) -> String {
    match process.join().await {
        Err(error) => innermost(&error),
        Ok(()) => "the connection ended before the command did".to_owned(),
    }
}
