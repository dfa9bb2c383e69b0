package safefile

// noFollow: O_EXCL alone never follows a link.
const noFollow = 0
