import './register.ts';
import '../../api/main.ts';
