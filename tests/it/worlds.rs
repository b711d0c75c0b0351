//! Worlds of all kinds, with every fault alone, every pair of faults and many triples: what was broken is found, nothing
//! else is, and whoever may read less knows less but nothing wrong.

mod faults;
mod ground;
mod plans;

use std::collections::BTreeSet;

use ecr_fix::diagnosis::{self, Diagnosis};
use ecr_fix::judges::Options;
use ecr_fix::pulls::{Scope, World};
use serde_json::Value;

use faults::{FAULTS, Fault, contradict, hides};
use ground::{Ground, Topology};

/// Chance that repeats: xorshift64*.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % end
    }
}

fn diagnose(ground: &Ground) -> Diagnosis {
    let snapshot = ground.snapshot();
    let scope = Scope { images: ground.images.clone(), ..Scope::default() };
    let world = World::of(&snapshot, &scope).unwrap();
    diagnosis::diagnosis(&world, &diagnosis::verdicts(&world, &Options::default()))
}

fn causes(diagnosis: &Diagnosis) -> BTreeSet<&str> {
    diagnosis.findings.iter().map(|finding| finding.cause.as_str()).collect()
}

fn broken(topology: Topology, faults: &[&Fault]) -> Ground {
    let mut ground = Ground::of(topology);
    faults.iter().for_each(|fault| (fault.inject)(&mut ground));
    ground
}

/// The faults that make sense in a topology.
fn faults_of(topology: Topology) -> Vec<&'static Fault> {
    FAULTS.iter().filter(|fault| fault.on.contains(&topology)).collect()
}

/// What is wrong where not exactly these faults are found, but for those that another one hides.
fn check(topology: Topology, faults: &[&Fault]) -> Option<String> {
    let diagnosis = diagnose(&broken(topology, faults));
    let found = causes(&diagnosis);
    let names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
    let is_hidden =
        |fault: &Fault| faults.iter().any(|other| other.name != fault.name && hides(other, fault).is_some());
    let missed = faults.iter().filter(|fault| !is_hidden(fault) && !found.contains(fault.cause));
    let missed: Vec<&str> = missed.map(|fault| fault.cause).collect();
    let injected: BTreeSet<&str> =
        faults.iter().flat_map(|fault| fault.also.iter().copied().chain([fault.cause])).collect();
    let invented: Vec<_> = found.difference(&injected).collect();
    if missed.is_empty() && invented.is_empty() {
        return None;
    }
    let legs = legs(&diagnosis);
    Some(format!("{topology:?} {names:?}: missed {missed:?}, invented {invented:?}\n{legs}"))
}

/// Demands that there is nothing wrong, and otherwise shows the first of it.
fn none(wrong: Vec<String>) {
    let shown: Vec<&str> = wrong.iter().map(String::as_str).take(60).collect();
    assert!(wrong.is_empty(), "{} are wrong, such as:\n{}", wrong.len(), shown.join("\n"));
}

/// What is not well, for somebody who looks at a failure.
fn legs(diagnosis: &Diagnosis) -> String {
    let paths = diagnosis.pull_paths.iter().flat_map(|path| path.legs.iter().map(move |leg| (path, leg)));
    let unwell = paths.filter(|(_, leg)| leg.verdict != diagnosis::Verdict::Ok);
    unwell
        .map(|(path, leg)| {
            format!(
                "{} {} {} {:?} {:?}\n",
                path.id,
                leg.leg.as_str(),
                leg.verdict.as_str(),
                leg.findings,
                leg.because
            )
        })
        .collect()
}

#[test]
fn grounds_are_healthy() {
    let mut wrong = Vec::new();
    for topology in Topology::ALL {
        let diagnosis = diagnose(&Ground::of(topology));
        if !causes(&diagnosis).is_empty() || diagnosis.summary.verdict != diagnosis::Health::Healthy {
            wrong.push(format!("{topology:?} {:?}\n{}", causes(&diagnosis), legs(&diagnosis)));
        }
    }
    none(wrong);
}

/// How many worlds were looked at, and what is wrong of them.
#[derive(Default)]
struct Tally {
    alone: usize,
    pairs: usize,
    triples: usize,
    used: BTreeSet<&'static str>,
    wrong: Vec<String>,
}

/// Every fault of a topology alone, every pair, and some triples.
fn try_out(topology: Topology) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice(0x00EC_2F1C ^ (topology as u64) << 32);
    let faults = faults_of(topology);
    for (index, fault) in faults.iter().enumerate() {
        tally.wrong.extend(check(topology, &[fault]));
        tally.used.insert(fault.name);
        tally.alone += 1;
        for other in faults.iter().skip(index + 1).filter(|other| !contradict(fault, other)) {
            tally.wrong.extend(check(topology, &[fault, other]));
            tally.pairs += 1;
        }
    }
    for _ in 0..40 {
        let three: BTreeSet<usize> = (0..3).map(|_| dice.below(faults.len())).collect();
        let three: Vec<&Fault> = three.into_iter().map(|index| faults[index]).collect();
        let together =
            |one: &&Fault| three.iter().all(|other| one.name == other.name || !contradict(one, other));
        if three.iter().all(together) {
            tally.wrong.extend(check(topology, &three));
            tally.triples += 1;
        }
    }
    tally
}

/// Does something for every topology, on all processors.
fn everywhere<T: Send>(work: impl Fn(Topology) -> T + Sync) -> Vec<T> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let take = || Topology::ALL.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).copied();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let worker =
            || std::iter::from_fn(take).map(|topology| (topology as usize, work(topology))).collect();
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        started.into_iter().flat_map(|worker| -> Vec<(usize, T)> { worker.join().unwrap() }).collect()
    });
    done.sort_by_key(|(topology, _)| *topology);
    done.into_iter().map(|(_, tally)| tally).collect()
}

#[test]
fn every_fault_is_found_alone_in_pairs_and_in_triples() {
    let tallies = everywhere(try_out);
    let count = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    let (alone, pairs, triples) =
        (count(|tally| tally.alone), count(|tally| tally.pairs), count(|tally| tally.triples));
    let used: BTreeSet<&str> = tallies.iter().flat_map(|tally| tally.used.iter().copied()).collect();
    let causes: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.cause).collect();
    none(tallies.into_iter().flat_map(|tally| tally.wrong).collect());
    assert_eq!(used.len(), FAULTS.len(), "a fault without a topology");
    println!(
        "{} faults of {} causes in {} topologies: {alone} alone, {pairs} pairs, {triples} triples, all found, none \
         invented",
        FAULTS.len(),
        causes.len(),
        Topology::ALL.len()
    );
}

/// Like a fault, but none: no finding.
#[test]
fn look_alikes_are_no_faults() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (topology, name, change) in faults::LOOK_ALIKES {
        let mut ground = Ground::of(*topology);
        change(&mut ground);
        let diagnosis = diagnose(&ground);
        if !causes(&diagnosis).is_empty() {
            wrong.push(format!("{topology:?} {name} {:?}\n{}", causes(&diagnosis), legs(&diagnosis)));
        }
        count += 1;
    }
    none(wrong);
    println!("{count} look-alikes, none taken for a fault");
}

/// Without any of the files of a world, no verdict turns: what was well or blocked is so still, or unknown.
#[test]
fn whoever_reads_less_knows_less_and_nothing_wrong() {
    let mut dice = Dice(0x0005_EED5);
    let (mut worlds, mut readings) = (0, 0);
    let mut wrong = Vec::new();
    for topology in Topology::ALL {
        let faults = faults_of(topology);
        let broken_worlds = faults.iter().map(|fault| (fault.name, broken(topology, &[fault])));
        for (name, ground) in broken_worlds.chain([("healthy", Ground::of(topology))]) {
            worlds += 1;
            let whole = diagnose(&ground);
            let files = ground.optional_files();
            let each = files.iter().map(|file| BTreeSet::from([file]));
            let mut subsets: Vec<BTreeSet<&String>> = each.filter(|_| name == "healthy").collect();
            subsets.extend((0..4).map(|_| BTreeSet::from([&files[dice.below(files.len())]])));
            subsets.extend((0..2).map(|_| (0..3).map(|_| &files[dice.below(files.len())]).collect()));
            for hidden in subsets {
                readings += 1;
                let part = diagnose(&ground.without(&hidden));
                let turned = turned(&whole, &part);
                wrong
                    .extend(turned.map(|turned| format!("{topology:?} {name} without {hidden:?}: {turned}")));
            }
        }
    }
    none(wrong);
    println!("{worlds} worlds, {readings} readings of parts of them, no verdict turned");
}

/// The first leg of which less reading says something else than that it is not known.
fn turned(whole: &Diagnosis, part: &Diagnosis) -> Option<String> {
    let legs = part.pull_paths.iter().filter_map(|path| {
        let before = whole.pull_paths.iter().find(|before| before.id == path.id)?;
        path.legs.iter().zip(&before.legs).find_map(|(now, then)| {
            let same = now.verdict == then.verdict || now.verdict == diagnosis::Verdict::Unknown;
            let because = part.findings.iter().map(|finding| (&finding.cause, &finding.summary));
            (!same).then(|| {
                format!(
                    "{} of {} was {} ({:?}) and is {} by {:?}",
                    now.leg.as_str(),
                    path.id,
                    then.verdict.as_str(),
                    then.because,
                    now.verdict.as_str(),
                    because.collect::<Vec<_>>()
                )
            })
        })
    });
    let mut legs = legs;
    legs.next()
}

/// A row of a list by the value of a field.
pub(crate) fn row<'v>(rows: &'v mut Value, field: &str, value: &str) -> &'v mut Value {
    let rows = rows.as_array_mut().expect("a list");
    rows.iter_mut().find(|row| row[field] == value).unwrap_or_else(|| panic!("no {field} {value}"))
}
