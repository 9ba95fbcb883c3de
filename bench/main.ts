console.log("No benchmark yet: the first one comes with the group commit.");
