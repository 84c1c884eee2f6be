//! A container checkpoint as typed nouns: container, tasks, threads, credentials, files.
