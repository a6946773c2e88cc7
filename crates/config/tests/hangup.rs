//! Hangup: a SIGHUP makes the watcher read the configuration again. It is the only test of its process,
//! since the signal reaches all of it.

use std::process::Command;
use std::time::Duration;

use privatelink_config::reload::Watcher;
use tokio::time::timeout;

#[tokio::test]
async fn a_hangup_reads_a_configuration_that_has_not_changed() {
    let file = std::env::temp_dir().join(format!("plp-hangup-{}.yaml", std::process::id()));
    std::fs::write(&file, "targets: [{host: a.example.com}]\n").expect("a temporary file");
    let (before, mut watcher) = Watcher::start(std::slice::from_ref(&file)).expect("a plan");
    // Longer than the pause between two looks at the files.
    timeout(Duration::from_secs(9), watcher.changed())
        .await
        .expect_err("nothing has changed");
    for _ in 0..2 {
        let kill = Command::new("kill")
            .args(["-HUP", &std::process::id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        let plan = timeout(Duration::from_secs(4), watcher.changed()).await;
        let plan = plan.expect("read at once").expect("a plan");
        assert_eq!(plan.hash, before.hash);
    }
    std::fs::remove_file(&file).expect("the temporary file");
}
