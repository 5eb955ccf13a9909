//! Models of the claim of a table, and of the limit of tables.

use super::*;
use crate::sync::{check, thread};

fn root(number: u8) -> Root {
    Root([number; 32])
}

impl MessageCache {
    fn has_table(&self, root: &Root) -> bool {
        let set = self.set_of(root);
        let is_built = |cached: &CachedMessage| matches!(cached.table, TableState::Built(_));
        set.iter()
            .flatten()
            .any(|cached| cached.root == *root && is_built(cached))
    }
}

/// Fails when `use_cached` decides in one lock and claims in another: two threads build.
#[test]
fn one_thread_builds_the_table_of_a_root_and_then_all_have_it() {
    const THREADS: u32 = 3;
    let point = hash(&root(1).0);
    let table = Arc::new(MessageTable::new(&point).unwrap());
    check(10_000, move || {
        let cache = Arc::new(MessageCache::new());
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let cache = Arc::clone(&cache);
            let table = Arc::clone(&table);
            threads.push(thread::spawn(move || {
                let mut built = 0;
                for _ in 0..2 {
                    cache.store(&root(1), point);
                    let found = cache.use_cached(&root(1), 2, 0).unwrap();
                    if found.must_build {
                        built += 1;
                        cache.keep(&root(1), &table);
                    }
                }
                built
            }));
        }
        let built: u32 = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(built, 1);
        assert!(cache.has_table(&root(1)));
    });
}

/// Fails when `keep` does not hold `keeping`, as it did not once: two threads both see room for the last table.
#[test]
fn no_more_tables_are_kept_than_the_limit_when_threads_build_at_once() {
    let point = hash(&root(1).0);
    let table = Arc::new(MessageTable::new(&point).unwrap());
    check(5_000, move || {
        let cache = Arc::new(MessageCache::new());
        let numbers = 0..u8::try_from(TABLES_MAX).unwrap() + 2;
        let mut threads = Vec::new();
        for number in numbers.clone() {
            cache.store(&root(number), point);
            if usize::from(number) < TABLES_MAX - 1 {
                cache.keep(&root(number), &table);
                continue;
            }
            let cache = Arc::clone(&cache);
            let table = Arc::clone(&table);
            threads.push(thread::spawn(move || cache.keep(&root(number), &table)));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        let kept = numbers
            .filter(|number| cache.has_table(&root(*number)))
            .count();
        assert_eq!(kept, TABLES_MAX);
    });
}
