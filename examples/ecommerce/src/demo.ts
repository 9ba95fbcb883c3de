console.log("The shop opens soon.");
