//! What of a process changed, a line each.

use std::io::{self, Write};

use ckpt_analysis::compare::{
    DescriptorChange, DescriptorFact, ProcessChange, ProcessFact, ThreadChange, ThreadFact,
};
use ckpt_model::{Credentials, Task, Thread, escape};
use criu_image::names;

use super::sheet::{Sheet, Sign};
use crate::human::command::{command_line, ended};
use crate::human::details;
use crate::human::units::count;
use crate::words;

pub(super) fn write<W: Write>(
    sheet: &mut Sheet<'_, W>,
    change: &ProcessChange<'_>,
) -> io::Result<()> {
    let (a, b) = (change.pair.a, change.pair.b);
    for fact in &change.what {
        match fact {
            // The heading has it.
            ProcessFact::Identity => {}
            ProcessFact::Env => {
                variables(sheet, Sign::Added, &change.env.added)?;
                variables(sheet, Sign::Removed, &change.env.removed)?;
                if change.env.added.is_empty() && change.env.removed.is_empty() {
                    sheet.labelled(
                        2,
                        Sign::Changed,
                        "env",
                        "the same variables in another order",
                    )?;
                }
            }
            ProcessFact::Caps => capabilities(sheet, a, b)?,
            ProcessFact::Rlimits => limits(sheet, a, b)?,
            ProcessFact::Threads => threads(sheet, change)?,
            fact => {
                let label = label(*fact);
                sheet.change(2, Sign::Changed, label, text(*fact, a), text(*fact, b))?;
            }
        }
    }
    Ok(())
}

/// A line for each variable. Strings without a letter, which a program leaves that writes its title over its environment, are
/// counted.
fn variables<W: Write>(
    sheet: &mut Sheet<'_, W>,
    sign: Sign,
    variables: &[&[u8]],
) -> io::Result<()> {
    let told = || variables.iter().filter(|variable| !variable.is_empty());
    for variable in told().take(MOST) {
        sheet.labelled(2, sign, "env", escape(variable))?;
    }
    let told = told().count();
    sheet.more(2, told.saturating_sub(MOST))?;
    match variables.len().saturating_sub(told) {
        0 => Ok(()),
        empty => sheet.labelled(2, sign, "env", count(empty, "empty string", "empty strings")),
    }
}

fn label(fact: ProcessFact) -> &'static str {
    match fact {
        ProcessFact::ExitCode => "ended",
        ProcessFact::Ppid => "parent",
        ProcessFact::Pgid => "group",
        ProcessFact::Sid => "session",
        ProcessFact::Comm => "name",
        ProcessFact::Argv => "arguments",
        ProcessFact::NoNewPrivs => "no new privs",
        ProcessFact::Secbits => "securebits",
        ProcessFact::LsmProfile => "lsm profile",
        ProcessFact::OomScoreAdj => "oom score",
        ProcessFact::Loginuid => "login uid",
        other => other.word(),
    }
}

/// A fact in words; safe for a terminal.
fn text(fact: ProcessFact, task: &Task) -> Option<String> {
    let creds = task.credentials.as_ref();
    let pid = |pid: Option<ckpt_model::Pid>| pid.map(|pid| pid.to_string());
    let path = |file: &Option<ckpt_model::FileRef>| {
        file.as_ref().map(|file| file.path.escaped().into_owned())
    };
    match fact {
        ProcessFact::State => task.state.map(|state| words::state(state).into_owned()),
        ProcessFact::ExitCode => {
            let machine = task.core.as_ref().map(|core| core.mtype);
            task.exit_code.map(|status| ended(status, machine))
        }
        ProcessFact::Ppid => pid(task.ppid),
        ProcessFact::Pgid => pid(task.pgid),
        ProcessFact::Sid => pid(task.sid),
        ProcessFact::Comm => task.comm.as_ref().map(|comm| comm.escaped().into_owned()),
        ProcessFact::Argv => task.argv.as_ref().map(command_line),
        ProcessFact::Exe => path(&task.exe),
        ProcessFact::Cwd => path(&task.cwd),
        ProcessFact::Root => path(&task.root),
        ProcessFact::Umask => task.umask.map(|umask| format!("{umask:04o}")),
        ProcessFact::Uids => creds.map(|creds| details::ids(&creds.uids)),
        ProcessFact::Gids => creds.map(|creds| details::ids(&creds.gids)),
        ProcessFact::Groups => creds.map(|creds| {
            let groups: Vec<String> = creds.groups.iter().map(u32::to_string).collect();
            if groups.is_empty() { "none".to_owned() } else { groups.join(" ") }
        }),
        ProcessFact::NoNewPrivs => creds
            .and_then(|creds| creds.no_new_privs)
            .map(|set| if set { "yes".to_owned() } else { "no".to_owned() }),
        ProcessFact::Secbits => creds.map(|creds| names::SECBITS.text(u64::from(creds.secbits))),
        ProcessFact::LsmProfile => creds.map(|creds| {
            creds.lsm_profile.as_ref().map_or("none".into(), |text| text.escaped()).into_owned()
        }),
        ProcessFact::Seccomp => task.seccomp.map(|mode| words::seccomp(mode).into_owned()),
        ProcessFact::Namespaces => task.namespaces.as_ref().map(|all| {
            let named = words::namespaces(all).into_iter().filter_map(|(name, space)| {
                let shared = if space?.shared_with_criu { " (shared)" } else { "" };
                Some(format!("{name} {}{shared}", space?.id))
            });
            named.collect::<Vec<_>>().join(", ")
        }),
        ProcessFact::OomScoreAdj => task.oom_score_adj.map(|score| score.to_string()),
        ProcessFact::Loginuid => task.loginuid.map(|uid| match uid {
            u32::MAX => "unset".to_owned(),
            uid => uid.to_string(),
        }),
        ProcessFact::Pending => {
            let machine = task.core.as_ref().map(|core| core.mtype);
            let signals = task.pending.iter().take(16);
            let signals: Vec<String> =
                signals.map(|one| names::signal_text(machine, one.signo.into())).collect();
            Some(if signals.is_empty() { "none".to_owned() } else { signals.join(" ") })
        }
        _ => None,
    }
}

/// A line for each set that differs: what it gained and what it lost.
fn capabilities<W: Write>(sheet: &mut Sheet<'_, W>, a: &Task, b: &Task) -> io::Result<()> {
    let Some((a, b)) = a.credentials.as_ref().zip(b.credentials.as_ref()) else { return Ok(()) };
    let sets = |creds: &Credentials| {
        let caps = creds.caps;
        [
            ("effective", Some(caps.effective)),
            ("permitted", Some(caps.permitted)),
            ("bounding", Some(caps.bounding)),
            ("inheritable", Some(caps.inheritable)),
            ("ambient", caps.ambient),
        ]
    };
    for ((name, was), (_, is)) in sets(a).into_iter().zip(sets(b)) {
        let (Some(was), Some(is)) = (was, is) else { continue };
        for (sign, bits) in [(Sign::Added, is & !was), (Sign::Removed, was & !is)] {
            if bits != 0 {
                let text = format!("{name}: {}", details::cap_names(bits));
                sheet.labelled(2, sign, "caps", text)?;
            }
        }
    }
    Ok(())
}

fn limits<W: Write>(sheet: &mut Sheet<'_, W>, a: &Task, b: &Task) -> io::Result<()> {
    let number = |limit: u64| match limit {
        u64::MAX => "unlimited".to_owned(),
        limit => limit.to_string(),
    };
    let count = a.rlimits.len().max(b.rlimits.len());
    for position in 0..count {
        let of = |task: &Task| {
            let limit = task.rlimits.get(position)?;
            Some(format!("{} (hard {})", number(limit.cur), number(limit.max)))
        };
        let (was, is) = (of(a), of(b));
        if was != is {
            let name = words::rlimit(b, position);
            let with_name = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            let was = format!("{name} {}", with_name(was));
            sheet.change(2, Sign::Changed, "limit", Some(was), Some(with_name(is)))?;
        }
    }
    Ok(())
}

/// Most threads, or variables, that are told one by one.
const MOST: usize = 40;

fn threads<W: Write>(sheet: &mut Sheet<'_, W>, change: &ProcessChange<'_>) -> io::Result<()> {
    let found = &change.threads;
    for (sign, threads) in [(Sign::Added, &found.added), (Sign::Removed, &found.removed)] {
        for thread in threads.iter().take(MOST) {
            sheet.labelled(2, sign, "thread", named(thread))?;
        }
        sheet.more(2, threads.len().saturating_sub(MOST))?;
    }
    for one in found.changed.iter().take(MOST) {
        sheet.labelled(2, Sign::Changed, "thread", thread(one, change.pair.b))?;
    }
    sheet.more(2, found.changed.len().saturating_sub(MOST))
}

fn named(thread: &Thread) -> String {
    match &thread.comm {
        Some(comm) => format!("{} {comm}", thread.tid),
        None => thread.tid.to_string(),
    }
}

fn thread(change: &ThreadChange<'_>, task: &Task) -> String {
    let machine = task.core.as_ref().map(|core| core.mtype);
    let text = |fact: ThreadFact, thread: &Thread| match fact {
        ThreadFact::Comm => thread.comm.as_ref().map(|comm| comm.escaped().into_owned()),
        ThreadFact::Sigblk => thread.sigblk.map(|set| match set {
            0 => "none".to_owned(),
            set => names::signal_set_text(machine, set),
        }),
        ThreadFact::Seccomp => thread.seccomp.map(|mode| words::seccomp(mode).into_owned()),
        ThreadFact::SchedPolicy => {
            thread.sched_policy.map(|policy| words::sched_policy(policy).into_owned())
        }
        ThreadFact::Nice => thread.nice.map(|nice| nice.to_string()),
        _ => None,
    };
    let parts = change.what.iter().map(|fact| {
        let word = match fact {
            ThreadFact::Comm => "name",
            ThreadFact::Sigblk => "blocks",
            ThreadFact::SchedPolicy => "scheduled",
            other => other.word(),
        };
        let side = |thread| text(*fact, thread).unwrap_or_default();
        format!("{word} {} -> {}", side(change.a), side(change.b))
    });
    format!("{}  {}", change.b.tid, parts.collect::<Vec<_>>().join(", "))
}

/// A descriptor that changed; `a` and `b` are what it refers to.
pub(super) fn descriptor(change: &DescriptorChange<'_>, a: &str, b: &str) -> String {
    let other = change.what.contains(&DescriptorFact::Target)
        || change.what.contains(&DescriptorFact::Type);
    let mut parts = vec![if other { format!("{a} -> {b}") } else { b.to_owned() }];
    let (one, two) = (change.a.descriptor, change.b.descriptor);
    for fact in &change.what {
        let number = |number: Option<u64>| number.map_or("?".to_owned(), |n| n.to_string());
        let octal =
            |flags: Option<u32>| flags.map_or("?".to_owned(), |flags| format!("0{flags:o}"));
        match fact {
            DescriptorFact::Pos => {
                parts.push(format!("pos {} -> {}", number(one.pos), number(two.pos)));
            }
            DescriptorFact::Flags => {
                parts.push(format!("flags {} -> {}", octal(one.flags), octal(two.flags)));
            }
            DescriptorFact::Cloexec => {
                parts.push(
                    if two.cloexec { "closed on exec now" } else { "kept on exec now" }.to_owned(),
                );
            }
            DescriptorFact::Deleted if !other => {
                parts.push(if two.deleted { "deleted now" } else { "not deleted now" }.to_owned());
            }
            _ => {}
        }
    }
    parts.join("  ")
}
