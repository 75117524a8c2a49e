<?php echo "hello from worker ", getmypid(), "\n";
