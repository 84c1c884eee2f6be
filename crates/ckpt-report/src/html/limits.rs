//! How much of what is shown: evidence has no bounds, a page has.

/// How much a report shows. What is more is counted, and told together with the command that shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Letters of one text.
    pub text: usize,
    /// Findings; 300 by default.
    pub findings: usize,
    /// Processes in the tree; 500 by default.
    pub processes: usize,
    /// Arguments, variables, descriptors and threads: of one process, 64 by default.
    pub of_process: usize,
    /// The same, of all processes together; 6000 by default.
    pub of_processes: usize,
    /// Sockets; 500 by default.
    pub sockets: usize,
    /// Processes whose memory is shown; 48 by default.
    pub mapped: usize,
    /// Mappings of one process; 240 by default.
    pub mappings: usize,
    /// Mappings of all processes together; 3000 by default.
    pub all_mappings: usize,
    /// Changes of the file system; 1000 by default.
    pub changes: usize,
    /// Events with a time, without lines of logs; 1000 by default.
    pub events: usize,
    /// Lines of logs; 300 by default.
    pub log_lines: usize,
    /// Artefacts; 1000 by default.
    pub artifacts: usize,
    /// Defects, and contradictions of one check; 200 by default.
    pub defects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: 240,
            findings: 300,
            processes: 500,
            of_process: 64,
            of_processes: 6000,
            sockets: 500,
            mapped: 48,
            mappings: 240,
            all_mappings: 3000,
            changes: 1000,
            events: 1000,
            log_lines: 300,
            artifacts: 1000,
            defects: 200,
        }
    }
}
