// A classic script, not a module: browsers load no modules from disk.
document.documentElement.classList.add('scripted');
