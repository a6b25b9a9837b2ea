"""From one submission to its verdict: answers taken, cells run, facts judged."""
